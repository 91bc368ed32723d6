//! Signals that are held for a price or a time.

use crate::stage::check;

stories! {
    a_stop_sells_at_the_market_when_the_price_falls_to_it: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market stop 9.80
           -> S1 waits for trigger, looks again at 15:00
        09:32 quote 600000.SH 9.81
        09:33 quote 600000.SH 9.80
           -> S1 comes true: stop at 9.80
           -> a: submit S1.1 sell 500 market
    ";

    of_what_one_price_sets_off_the_higher_priority_comes_first_and_then_what_sells: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 buy 100 000001.SZ @ 10.30 stop 10.20 priority 1 if_flat
           -> S1 waits for trigger, looks again at 15:00
        09:31 S2 buy 200 000001.SZ @ 10.30 stop 10.20 priority 3 if_flat
           -> S2 waits for trigger, looks again at 15:00
        09:31 S3 buy 100 600000.SH @ 10.30 stop 10.20
           -> S3 waits for trigger, looks again at 15:00
        09:31 S4 sell 500 600000.SH market take 10.20
           -> S4 waits for trigger, looks again at 15:00
        09:32 quote 000001.SZ 10.21
           -> S2 comes true: stop at 10.21
           -> S1 comes true: stop at 10.21
           -> S1 denied NOT_FLAT
           -> a: submit S2.1 buy 200 @ 10.30
        09:33 quote 600000.SH 10.21
           -> S4 comes true: take_profit at 10.21
           -> S3 comes true: stop at 10.21
           -> S3.1 denied CROSSING
           -> S3.1 ends: denied
           -> S3 denied CROSSING
           -> a: submit S4.1 sell 500 market
    ";

    a_stop_limit_goes_out_at_its_limit: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH @ 9.75 stop 9.80
           -> S1 waits for trigger, looks again at 15:00
        09:33 quote 600000.SH 9.79
           -> S1 comes true: stop at 9.79
           -> a: submit S1.1 sell 500 @ 9.75
    ";

    a_breakout_buys_when_the_price_rises_to_it: "
        09:31 S1 buy 100 600000.SH @ 10.30 stop 10.20
           -> S1 waits for trigger, looks again at 15:00
        09:32 quote 600000.SH 10.19
        09:33 quote 600000.SH 10.21
           -> S1 comes true: stop at 10.21
           -> a: submit S1.1 buy 100 @ 10.30
    ";

    of_two_conditions_the_first_ends_the_other: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market stop 9.80 take 10.50
           -> S1 waits for trigger, looks again at 15:00
        09:40 quote 600000.SH 10.52
           -> S1 comes true: take_profit at 10.52
           -> a: submit S1.1 sell 500 market
        09:41 broker S1.1 filled E1 500 at 10.51
           -> S1.1 filled 500 at 10.51, fee 7.68
           -> S1 done
        09:42 quote 600000.SH 9.70
    ";

    a_trail_follows_the_best_price_and_survives_a_restart: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market trail 0.20
           -> S1 waits for trigger, looks again at 15:00
        09:32:00 quote 600000.SH 10.10
           -> S1 hangs on 10.10
        09:32:01 quote 600000.SH 10.30
        09:32:05
        09:32:10
           -> S1 hangs on 10.30
        09:32:20 quote 600000.SH 10.15
        09:32:30 restart
        09:32:40 quote 600000.SH 10.11
        09:32:50 quote 600000.SH 10.10
           -> S1 comes true: trailing at 10.10
           -> a: submit S1.1 sell 500 market
    ";

    before_its_time_nothing_is_traded: "
        09:31 S1 buy 100 600000.SH @ 10.00 from 10:30
           -> S1 waits for time, looks again at 10:30
        10:00 restart
        10:29
        10:30
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    what_is_held_past_its_time_expires: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market stop 9.80 until 10:00
           -> S1 waits for trigger, looks again at 10:00
        10:00
           -> S1 expired
        10:01 quote 600000.SH 9.70
    ";

    what_is_held_can_be_cancelled: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market stop 9.80
           -> S1 waits for trigger, looks again at 15:00
        09:40 cancel S1
           -> S1 canceled
        10:01 quote 600000.SH 9.70
    ";

    a_stop_is_checked_by_risk_like_every_order: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market stop 9.80
           -> S1 waits for trigger, looks again at 15:00
        09:32 halt
        09:33 quote 600000.SH 9.80
           -> S1 comes true: stop at 9.80
           -> S1.1 denied TRADING_STATE
        09:33:10
           -> S1.1#2 denied TRADING_STATE
           -> S1.1#3 denied TRADING_STATE
           -> S1.1 asks a person: attempts_used
           -> a: exception asked, opened
        09:33:12 resume
        09:33:15
           -> a: submit S1.1#4 sell 500 market
    ";

    what_a_bracket_bought_is_sold_when_it_may_be: "
        09:31 S1 buy 200 600000.SH @ 10.00 out_stop 9.70 out_take 10.80
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 waits for trigger, looks again at 09:31
        10:00 quote 600000.SH 9.60
        Tue 09:31 restart
        Tue 09:32 quote 600000.SH 9.65
           -> S1 comes true: stop at 9.65
           -> S1 goes out: a sell 200
           -> a: submit S1.2 sell 200 market
        Tue 09:32 broker S1.2 filled E2 200 at 9.64
           -> S1.2 filled 200 at 9.64, fee 5.98
           -> S1 done
    ";

    what_was_bought_open_is_closed_by_its_stop_on_the_same_day: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 buy 2 m2509.DCE @ 2900 effect open out_stop 2880 out_take 2940
           -> f: submit S1.1 buy open 2 @ 2900.00
        09:31 broker S1.1 filled e1 2 at 2900
           -> S1.1 filled 2 at 2900.00, fee 5.80
           -> S1 waits for trigger, looks again at 09:31
        09:40 quote m2509.DCE 2890
        09:41 restart
        09:42 quote m2509.DCE 2879
           -> S1 comes true: stop at 2879.00
           -> S1 goes out: f sell close 2
           -> f: submit S1.2 sell close 2 market
        09:42 broker S1.2 filled e2 2 at 2878
           -> S1.2 filled 2 at 2878.00, fee 5.76
           -> S1 done
        09:43 show f
           -> f: cash 199548.44 reserved 0.00, margin 0.00
    ";

    what_was_bought_open_is_closed_at_its_profit_on_another_day_by_the_flag_of_that_day: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 buy 2 rb2505.SHFE @ 3500 effect open out_stop 3450 out_take 3540
           -> f: submit S1.1 buy open 2 @ 3500.00
        09:31 broker S1.1 filled e1 2 at 3500
           -> S1.1 filled 2 at 3500.00, fee 7.00
           -> S1 waits for trigger, looks again at 09:31
        14:59 quote rb2505.SHFE 3520
        21:05 restart
        Tue 09:05 quote rb2505.SHFE 3530
        09:06 S2 buy 1 rb2505.SHFE @ 3530 effect open
           -> f: submit S2.1 buy open 1 @ 3530.00
        09:06 broker S2.1 filled e2 1 at 3530
           -> S2.1 filled 1 at 3530.00, fee 3.53
           -> S2 done
        09:10 quote rb2505.SHFE 3541
           -> S1 comes true: take_profit at 3541.00
           -> S1 goes out: f sell close_yesterday 2
           -> f: submit S1.2 sell close_yesterday 2 @ 3521.00
        09:10 broker S1.2 filled e3 2 at 3541
           -> S1.2 filled 2 at 3541.00, fee 7.08
           -> S1 done
        09:11 show f
           -> f: cash 200802.39 reserved 0.00, margin 5295.00, s rb2505.SHFE long 0 and 1 today
    ";

    what_was_sold_open_is_bought_back_when_the_price_rises_to_its_stop: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 sell 1 rb2505.SHFE @ 3500 effect open
           -> f: submit S1.1 sell open 1 @ 3500.00
        09:31 broker S1.1 filled e1 1 at 3500
           -> S1.1 filled 1 at 3500.00, fee 3.50
           -> S1 done
        14:59 quote rb2505.SHFE 3500
        Tue 09:31 quote rb2505.SHFE 3500
        09:31 S2 sell 2 rb2505.SHFE @ 3500 effect open out_stop 3520 out_take 3450
           -> f: submit S2.1 sell open 2 @ 3500.00
        09:31 broker S2.1 filled e2 2 at 3500
           -> S2.1 filled 2 at 3500.00, fee 7.00
           -> S2 waits for trigger, looks again at 09:31
        09:40 quote rb2505.SHFE 3490
        09:41 restart
        09:42 quote rb2505.SHFE 3521
           -> S2 comes true: stop at 3521.00
           -> S2 goes out: f buy close_yesterday 1, f buy close_today 1
           -> f: submit S2.2 buy close_yesterday 1 @ 3541.00
           -> f: submit S2.3 buy close_today 1 @ 3541.00
        09:42 broker S2.2 filled e3 1 at 3522
           -> S2.2 filled 1 at 3522.00, fee 3.52
        09:42 broker S2.3 filled e4 1 at 3522
           -> S2.3 filled 1 at 3522.00, fee 3.52
           -> S2 done
        09:43 show f
           -> f: cash 199542.46 reserved 0.00, margin 5250.00, s rb2505.SHFE short 0 and 1 today
    ";

    what_was_sold_open_is_bought_back_when_the_price_falls_to_its_profit: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 sell 2 m2509.DCE @ 2900 effect open out_stop 2920 out_take 2870
           -> f: submit S1.1 sell open 2 @ 2900.00
        09:31 broker S1.1 filled e1 2 at 2900
           -> S1.1 filled 2 at 2900.00, fee 5.80
           -> S1 waits for trigger, looks again at 09:31
        09:40 quote m2509.DCE 2871
        09:42 quote m2509.DCE 2870
           -> S1 comes true: take_profit at 2870.00
           -> S1 goes out: f buy close 2
           -> f: submit S1.2 buy close 2 market
    ";

    the_trail_of_a_short_position_hangs_on_the_lowest_price: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 sell 2 m2509.DCE @ 2900 effect open out_trail 10
           -> f: submit S1.1 sell open 2 @ 2900.00
        09:31 broker S1.1 filled e1 2 at 2900
           -> S1.1 filled 2 at 2900.00, fee 5.80
           -> S1 waits for trigger, looks again at 09:31
        09:40 quote m2509.DCE 2890
           -> S1 hangs on 2890.00
        09:41 quote m2509.DCE 2880
           -> S1 hangs on 2880.00
        09:42 quote m2509.DCE 2889
        09:43 restart
        09:44 quote m2509.DCE 2890
           -> S1 comes true: trailing at 2890.00
           -> S1 goes out: f buy close 2
           -> f: submit S1.2 buy close 2 market
    ";

    what_a_signal_without_an_effect_closed_is_not_part_of_its_way_out: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 sell 1 m2509.DCE @ 2900
           -> f: submit S1.1 sell open 1 @ 2900.00
        09:31 broker S1.1 filled e1 1 at 2900
           -> S1.1 filled 1 at 2900.00, fee 2.90
           -> S1 done
        09:32 S2 buy 3 m2509.DCE @ 2900 out_stop 2880
           -> S2 planned: f buy close 1, f buy open 2; residual 0
           -> f: submit S2.1 buy close 1 @ 2900.00
           -> f: submit S2.2 buy open 2 @ 2900.00
        09:32 broker S2.1 filled e2 1 at 2900
           -> S2.1 filled 1 at 2900.00, fee 2.90
        09:32 broker S2.2 filled e3 2 at 2900
           -> S2.2 filled 2 at 2900.00, fee 5.80
           -> S2 waits for trigger, looks again at 09:32
        09:42 quote m2509.DCE 2880
           -> S2 comes true: stop at 2880.00
           -> S2 goes out: f sell close 2
           -> f: submit S2.3 sell close 2 market
    ";

    a_close_of_the_day_that_is_left_over_night_closes_lots_of_an_earlier_day: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 sell 2 rb2505.SHFE @ 3500 effect open out_stop 3520
           -> f: submit S1.1 sell open 2 @ 3500.00
        09:31 broker S1.1 filled e1 2 at 3500
           -> S1.1 filled 2 at 3500.00, fee 7.00
           -> S1 waits for trigger, looks again at 09:31
        14:58 quote rb2505.SHFE 3521
           -> S1 comes true: stop at 3521.00
           -> S1 goes out: f buy close_today 2
           -> f: submit S1.2 buy close_today 2 @ 3541.00
        15:00 broker S1.2 expired
           -> S1.2 expired
        21:00:10 broker S1.2#2 filled e2 2 at 3530
           -> S1.2 asks a person: takes_long
           -> f: exception asked, opened
           -> f: submit S1.2#2 buy close_yesterday 2 @ 3541.00
           -> S1.2#2 filled 2 at 3530.00, fee 7.06
           -> f: exception asked, done
           -> S1 done
    ";

    what_opens_short_lots_goes_out_at_once_and_its_stop_is_above_the_market: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 sell 1 m2509.DCE @ 2900 effect open stop_loss 2920 take_profit 2870
           -> f: submit S1.1 sell open 1 @ 2900.00
        09:31 broker S1.1 filled e1 1 at 2900
           -> S1.1 filled 1 at 2900.00, fee 2.90
           -> S1 waits for trigger, looks again at 09:31
        09:35 quote m2509.DCE 2880
        09:36 restart
        09:40 quote m2509.DCE 2921
           -> S1 comes true: stop at 2921.00
           -> S1 goes out: f buy close 1
           -> f: submit S1.2 buy close 1 market
        09:40 broker S1.2 filled e2 1 at 2921
           -> S1.2 filled 1 at 2921.00, fee 2.92
           -> S1 done
    ";

    what_closes_short_lots_is_held_for_its_prices: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 sell 2 m2509.DCE @ 2900 effect open
           -> f: submit S1.1 sell open 2 @ 2900.00
        09:31 broker S1.1 filled e1 2 at 2900
           -> S1.1 filled 2 at 2900.00, fee 5.80
           -> S1 done
        09:32 S2 buy 1 m2509.DCE market effect close stop_loss 2920 take_profit 2870
           -> S2 waits for trigger, looks again at 15:00
        09:32 S3 buy 1 m2509.DCE market effect close trailing 10
           -> S3 waits for trigger, looks again at 15:00
        09:33 quote m2509.DCE 2880
           -> S3 hangs on 2880.00
        09:34 restart
        09:35 quote m2509.DCE 2889
        09:36 quote m2509.DCE 2890
           -> S3 comes true: trailing at 2890.00
           -> f: submit S3.1 buy close 1 market
        09:36 broker S3.1 filled e2 1 at 2890
           -> S3.1 filled 1 at 2890.00, fee 2.89
           -> S3 done
        09:40 quote m2509.DCE 2920
           -> S2 comes true: stop at 2920.00
           -> f: submit S2.1 buy close 1 market
        09:40 broker S2.1 filled e3 1 at 2920
           -> S2.1 filled 1 at 2920.00, fee 2.92
           -> S2 done
    ";

    where_no_market_order_is_taken_what_was_held_goes_out_through_the_last_price: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 buy 1 rb2505.SHFE @ 3500 effect open
           -> f: submit S1.1 buy open 1 @ 3500.00
        09:31 broker S1.1 filled e1 1 at 3500
           -> S1.1 filled 1 at 3500.00, fee 3.50
           -> S1 done
        09:32 S2 sell 1 rb2505.SHFE market effect close stop_loss 3480 take_profit 3540
           -> S2 waits for trigger, looks again at 15:00
        09:33 quote rb2505.SHFE 3479
           -> S2 comes true: stop at 3479.00
           -> f: submit S2.1 sell close_today 1 @ 3459.00
    ";

    lots_are_opened_at_a_stop_price_and_closed_at_a_stop_loss: "
        given account f cash 200000
        given route s f
        09:31 quote m2509.DCE 2900
        09:31 S1 sell 1 m2509.DCE market effect open stop_price 2890 stop_loss 2905
           -> S1 waits for trigger, looks again at 15:00
        09:32 quote m2509.DCE 2889
           -> S1 comes true: stop at 2889.00
           -> f: submit S1.1 sell open 1 market
        09:32 broker S1.1 filled e1 1 at 2889
           -> S1.1 filled 1 at 2889.00, fee 2.89
           -> S1 waits for trigger, looks again at 09:32
        09:33 quote m2509.DCE 2906
           -> S1 comes true: stop at 2906.00
           -> S1 goes out: f buy close 1
           -> f: submit S1.2 buy close 1 market
    ";

    a_stop_that_the_price_has_passed_when_it_comes_does_not_wait_for_the_next_trade: "
        given account a cash 100000 s 600000.SH 500
        09:32 quote 600000.SH 9.70
        09:33 S1 sell 200 600000.SH market stop 9.80 take 10.50
           -> S1 waits for trigger, looks again at 15:00
           -> S1 comes true: stop at 9.70
           -> a: submit S1.1 sell 200 market
        09:34 S2 buy 100 000001.SZ @ 10.00 stop 9.90
           -> S2 waits for trigger, looks again at 15:00
           -> S2 comes true: stop at 10.00
           -> a: submit S2.1 buy 100 @ 10.00
        12:00 S3 sell 100 600000.SH market stop 9.80
           -> S3 waits for trigger, looks again at 15:00
        13:00:01 quote 600000.SH 9.71
           -> S3 comes true: stop at 9.71
           -> a: submit S3.1 sell 100 market
    ";

    a_stop_does_not_come_true_by_an_old_price: "
        given account a cash 100000 s 600000.SH 500
        given stale quotes
        09:32 quote 600000.SH 9.70
        09:34 S1 sell 200 600000.SH market stop 9.80
           -> S1 waits for trigger, looks again at 15:00
        09:35 quote 600000.SH 9.75
           -> S1 comes true: stop at 9.75
           -> a: submit S1.1 sell 200 market
    ";

    a_way_out_that_is_refused_goes_out_when_it_may: "
        given account a cash 100000
        given route s a
        given route t a
        09:31 quote 600000.SH 10.00
        09:31 S1 buy 200 600000.SH @ 10.00 out_stop 9.70
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 waits for trigger, looks again at 09:31
        Tue 09:31 quote 600000.SH 10.00
        Tue 09:31 S2 of t buy 100 600000.SH @ 9.70
           -> a: submit S2.1 buy 100 @ 9.70
        09:32 broker S2.1 accepted
           -> S2.1 accepted
        09:33 quote 600000.SH 9.69
           -> S1 comes true: stop at 9.69
           -> S1 goes out: a sell 200
           -> S1.2 denied CROSSING
        09:33:10
           -> S1.2#2 denied CROSSING
           -> S1.2#3 denied CROSSING
           -> S1.2 asks a person: attempts_used
           -> a: exception asked, opened
        09:33:12 restart
           -> a: find S2.1
        09:33:15 quote 600000.SH 9.68
        09:33:20 cancel S2
           -> a: cancel S2.1
        09:33:21 broker S2.1 canceled
           -> S2.1 canceled
           -> S2 canceled
        09:33:45
           -> a: submit S1.2#4 sell 200 market
    ";

    what_a_way_out_was_held_for_and_is_gone_is_not_sold_again: "
        given account a cash 100000
        09:31 quote 600000.SH 10.00
        09:31 S1 buy 200 600000.SH @ 10.00 out_stop 9.70
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 waits for trigger, looks again at 09:31
        Tue 09:31 S2 sell 200 600000.SH @ 10.00
           -> a: submit S2.1 sell 200 @ 10.00
        09:32 broker S2.1 filled E1 200 at 10.00
           -> S2.1 filled 200 at 10.00, fee 6.02
           -> S2 done
        09:33 quote 600000.SH 10.00
           -> S1 has nothing left to give up
           -> S1 done
        09:34 S3 buy 200 600000.SH @ 10.00
           -> a: submit S3.1 buy 200 @ 10.00
        09:34 broker S3.1 filled E1 200 at 10.00
           -> S3.1 filled 200 at 10.00, fee 5.02
           -> S3 done
        Wed 09:31 restart
        Wed 09:31 quote 600000.SH 9.60
        Wed 09:32 show a
           -> a: cash 97983.94 reserved 0.00, s 600000.SH 200 (200 sellable)
    ";
}
