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
           -> S1.1 ends: denied
           -> S1 denied TRADING_STATE
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
}
