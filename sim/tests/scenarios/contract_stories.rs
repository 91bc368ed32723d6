//! The stories of contracts: lots that are opened, settled, rolled and closed, and what risk says of them.

use crate::stage::check;

stories! {
    lots_are_opened_settled_rolled_over_night_and_closed_with_the_flag_of_their_day: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 buy 4 rb2505.SHFE @ 3500
           -> f: submit S1.1 buy open 4 @ 3500.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:31 show f
           -> f: cash 200000.00 reserved 21014.00
        09:32 broker S1.1 filled e1 4 at 3500
           -> S1.1 filled 4 at 3500.00, fee 14.00
           -> S1 done
        09:33 show f
           -> f: cash 199986.00 reserved 0.00, margin 21000.00, s rb2505.SHFE long 0 and 4 today
        14:59 quote rb2505.SHFE 3520
        15:31 show f
           -> f: cash 200786.00 reserved 0.00, margin 21120.00, s rb2505.SHFE long 4 and 0 today
        16:00 S2 buy 1 rb2505.SHFE @ 3525
           -> S2 waits for session, looks again at 21:00
        21:00
           -> f: submit S2.1 buy open 1 @ 3525.00
        21:00 broker S2.1 accepted
           -> S2.1 accepted
        21:01 broker S2.1 filled e1 1 at 3525
           -> S2.1 filled 1 at 3525.00, fee 3.53
           -> S2 done
        21:02 restart
        21:02 show f
           -> f: cash 200782.47 reserved 0.00, margin 26407.50, s rb2505.SHFE long 4 and 1 today
        Tue 09:05 quote rb2505.SHFE 3530
        09:05 S3 sell 3 rb2505.SHFE @ 3530
           -> f: submit S3.1 sell close_yesterday 3 @ 3530.00
        09:05 broker S3.1 accepted
           -> S3.1 accepted
        09:05 broker S3.1 filled e1 3 at 3530
           -> S3.1 filled 3 at 3530.00, fee 10.59
           -> S3 done
        09:06 S4 sell 3 rb2505.SHFE @ 3530
           -> S4 planned: f sell close_yesterday 1, f sell close_today 1, f sell open 1; residual 0
           -> f: submit S4.1 sell close_yesterday 1 @ 3530.00
           -> f: submit S4.2 sell close_today 1 @ 3530.00
           -> f: submit S4.3 sell open 1 @ 3530.00
        09:07 broker S4.2 filled e1 1 at 3530
           -> S4.2 filled 1 at 3530.00, fee 3.53
        09:07 broker S4.1 filled e1 1 at 3530
           -> S4.1 filled 1 at 3530.00, fee 3.53
        09:07 broker S4.3 filled e1 1 at 3530
           -> S4.3 filled 1 at 3530.00, fee 3.53
           -> S4 done
        09:08 show f
           -> f: cash 201211.29 reserved 0.00, margin 5295.00, s rb2505.SHFE short 0 and 1 today
        09:09 S5 target 0 rb2505.SHFE @ 3500
           -> f: submit S5.1 buy close_today 1 @ 3500.00
    ";

    an_exchange_with_one_flag_gets_one_close: "
        given account f cash 2000000
        given route s f
        09:31 quote IF2503.CFFEX 4000
        09:31 S1 sell 1 IF2503.CFFEX @ 4000
           -> f: submit S1.1 sell open 1 @ 4000.00
        09:31 broker S1.1 filled e1 1 at 4000
           -> S1.1 filled 1 at 4000.00, fee 120.00
           -> S1 done
        09:32 quote IF2503.CFFEX 3990
        09:32 S2 buy 1 IF2503.CFFEX @ 3990 effect close_today
           -> S2.1 denied POSITION_EFFECT
           -> S2 denied POSITION_EFFECT
        09:33 S3 buy 1 IF2503.CFFEX @ 3990 effect close
           -> f: submit S3.1 buy close 1 @ 3990.00
        09:33 broker S3.1 filled e1 1 at 3990
           -> S3.1 filled 1 at 3990.00, fee 119.70
           -> S3 done
        09:34 show f
           -> f: cash 2002760.30 reserved 0.00, margin 0.00
    ";

    contracts_are_limited_by_margin: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 buy 11 rb2505.SHFE @ 3500
           -> S1.1 denied ORDER_QTY
           -> S1 denied ORDER_QTY
        09:31 limits account:f order_lots_max 20
           -> limits 1 of account:f; looser order_lots_max
        09:31 S2 buy 12 rb2505.SHFE @ 3500
           -> S2.1 denied ORDER_MARGIN
           -> S2 denied ORDER_MARGIN
        09:32 S3 buy 10 rb2505.SHFE @ 3500
           -> S3.1 warned ORDER_MARGIN
           -> f: submit S3.1 buy open 10 @ 3500.00
        09:32 S4 buy 10 rb2505.SHFE @ 3500
           -> f: submit S4.1 buy open 10 @ 3500.00
        09:33 S5 buy 10 rb2505.SHFE @ 3500
           -> S5.1 warned MARGIN
           -> f: submit S5.1 buy open 10 @ 3500.00
        09:33 S6 buy 1 rb2505.SHFE @ 3500
           -> S6.1 denied MARGIN
           -> S6 denied MARGIN
        09:34 limits account:f order_lots_max 20 margin 1
           -> limits 2 of account:f; looser margin
        09:34 S7 buy 9 rb2505.SHFE @ 3500
           -> S7.1 denied CASH,MARGIN
           -> S7 denied CASH,MARGIN
    ";

    nobody_closes_what_he_does_not_hold_or_closes_it_twice: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 sell 1 rb2505.SHFE @ 3500 effect close
           -> S1.1 denied SELLABLE
           -> S1 denied SELLABLE
        09:31 S2 sell 2 rb2505.SHFE @ 3500
           -> f: submit S2.1 sell open 2 @ 3500.00
        09:32 broker S2.1 filled e1 2 at 3500
           -> S2.1 filled 2 at 3500.00, fee 7.00
           -> S2 done
        09:33 S3 buy 2 rb2505.SHFE @ 3490 effect close_yesterday
           -> S3.1 denied SELLABLE
           -> S3 denied SELLABLE
        09:33 S4 buy 2 rb2505.SHFE @ 3490 effect close
           -> f: submit S4.1 buy close_today 2 @ 3490.00
        09:34 S5 buy 1 rb2505.SHFE @ 3490 effect close_today
           -> S5.1 denied SELLABLE
           -> S5 denied SELLABLE
    ";

    who_may_only_reduce_may_close_short_lots: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 sell 1 rb2505.SHFE @ 3500
           -> f: submit S1.1 sell open 1 @ 3500.00
        09:31 broker S1.1 filled e1 1 at 3500
           -> S1.1 filled 1 at 3500.00, fee 3.50
           -> S1 done
        09:32 reduce
        09:32 S2 sell 1 rb2505.SHFE @ 3500
           -> S2.1 denied TRADING_STATE
           -> S2 denied TRADING_STATE
        09:33 S3 buy 1 rb2505.SHFE @ 3500
           -> f: submit S3.1 buy close_today 1 @ 3500.00
    ";

    in_the_pause_a_signal_waits_and_far_from_the_market_it_is_refused: "
        given account f cash 200000
        given route s f
        10:14 quote rb2505.SHFE 3500
        10:20 S1 buy 1 rb2505.SHFE @ 3580
           -> S1 waits for session, looks again at 10:30
        10:30
           -> S1.1 denied PRICE_COLLAR
           -> S1 denied PRICE_COLLAR
        10:31 S2 buy 1 rb2505.SHFE @ 3500.5
           -> S2.1 denied TICK_SIZE
           -> S2 denied TICK_SIZE
        23:30 S3 buy 1 rb2505.SHFE @ 3500
           -> S3 waits for session, looks again at 09:00
    ";

    shares_are_neither_opened_nor_closed: "
        09:31 S1 buy 100 600000.SH @ 10.00 effect open
           -> S1.1 denied POSITION_EFFECT
           -> S1 denied POSITION_EFFECT
    ";

    a_strategy_closes_its_own_lots_and_no_others: "
        given account f cash 200000
        given route s f
        given route t f
        09:31 quote rb2505.SHFE 3500
        09:31 S1 buy 2 rb2505.SHFE @ 3500
           -> f: submit S1.1 buy open 2 @ 3500.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled e1 2 at 3500
           -> S1.1 filled 2 at 3500.00, fee 7.00
           -> S1 done
        09:33 S2 of t sell 2 rb2505.SHFE @ 3500 effect close_today
           -> S2.1 denied SELLABLE
           -> S2 denied SELLABLE
    ";

    where_no_market_order_is_taken_a_limit_order_stands_for_one_and_margin_is_reckoned_with_its_limit: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3500 bid 3499 ask 3501
        09:31 S1 buy 2 rb2505.SHFE market
           -> f: submit S1.1 buy open 2 @ 3571.00 ioc
        09:31 show f
           -> f: cash 200000.00 reserved 10720.14
        09:32 broker S1.1 filled e1 1 at 3501
           -> S1.1 filled 1 at 3501.00, fee 3.50
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 partially_done
        09:33 S2 buy 1 rb2505.SHFE @ 3450
           -> f: submit S2.1 buy open 1 @ 3450.00
        09:33 broker S2.1 accepted
           -> S2.1 accepted
        09:34 S3 sell 1 rb2505.SHFE market effect close
           -> S3.1 denied CROSSING
           -> S3 denied CROSSING
        09:35 cancel S2
           -> f: cancel S2.1
        09:35 broker S2.1 canceled
           -> S2.1 canceled
           -> S2 canceled
        09:36 S4 target 0 rb2505.SHFE market
           -> f: submit S4.1 sell close_today 1 @ 3430.00 ioc
        09:37 quote IF2503.CFFEX 4000
        09:37 limits account:f order_margin 1 margin 1
           -> limits 1 of account:f; looser order_margin,margin
        09:37 S5 buy 1 IF2503.CFFEX market
           -> S5.1 warned ORDER_MARGIN
           -> S5.1 warned MARGIN
           -> f: submit S5.1 buy open 1 market
    ";

    a_stop_of_lots_goes_out_where_no_market_order_is_taken: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3300
        09:31 S1 buy 2 rb2505.SHFE @ 3300
           -> f: submit S1.1 buy open 2 @ 3300.00
        09:31 broker S1.1 filled e1 2 at 3300
           -> S1.1 filled 2 at 3300.00, fee 6.60
           -> S1 done
        09:32 S2 sell 2 rb2505.SHFE market stop 3290 effect close
           -> S2 waits for trigger, looks again at 15:00
        09:40 quote rb2505.SHFE 3289 bid 3288 ask 3289
           -> S2 comes true: stop at 3289.00
           -> f: submit S2.1 sell close_today 2 @ 3269.00
        09:41 broker S2.1 filled e1 2 at 3287
           -> S2.1 filled 2 at 3287.00, fee 6.57
           -> S2 done
    ";

    a_sell_until_done_goes_on_where_no_market_order_is_taken_and_the_person_stays_asked: "
        given account f cash 200000
        given route s f
        09:31:00 quote rb2505.SHFE 3300
        09:31:00 S1 buy 1 rb2505.SHFE @ 3300
           -> f: submit S1.1 buy open 1 @ 3300.00
        09:31:00 broker S1.1 filled e1 1 at 3300
           -> S1.1 filled 1 at 3300.00, fee 3.30
           -> S1 done
        09:32:00 S2 sell 1 rb2505.SHFE @ 3350 till done every 600 tell after 60 market after 120 effect close
           -> f: submit S2.1 sell close_today 1 @ 3350.00
        09:32:00 broker S2.1 accepted
           -> S2.1 accepted
        09:33:00
           -> S2.1 asks a person: takes_long
           -> f: exception asked, opened
        09:34:00
           -> S2.1 is taken back: repriced
           -> f: cancel S2.1
        09:34:01 broker S2.1 canceled
           -> S2.1 canceled
        09:34:11
           -> f: submit S2.1#2 sell close_today 1 @ 3234.00 ioc
        09:34:11 broker S2.1#2 accepted
           -> S2.1#2 accepted
        09:34:12 broker S2.1#2 canceled
           -> S2.1#2 canceled
        09:34:15 restart
           -> f: find S2.1
           -> f: find S2.1#2
        09:34:20 quote rb2505.SHFE 3280
        09:34:22
           -> f: submit S2.1#3 sell close_today 1 @ 3215.00 ioc
        09:34:23 broker S2.1#3 filled e1 1 at 3279
           -> S2.1#3 filled 1 at 3279.00, fee 3.28
           -> f: exception asked, done
           -> S2 done
    ";

    a_person_who_sells_all_lots_sells_them_where_no_market_order_is_taken: "
        given account f cash 200000
        given route s f
        given paper
        09:31 quote rb2505.SHFE 3300 bid 3299 ask 3300
        09:31 S1 buy 2 rb2505.SHFE market
           -> f: submit S1.1 buy open 2 @ 3366.00 ioc
           -> S1.1 accepted
           -> S1.1 filled 2 at 3300.00, fee 6.60
           -> S1 done
        09:32 S2 by hand in f sell all rb2505.SHFE market
           -> f: submit S2.1 sell close_today 2 @ 3234.00 ioc
           -> S2.1 accepted
           -> S2.1 filled 2 at 3299.00, fee 6.60
           -> S2 done
    ";

    without_a_fresh_price_nothing_can_stand_for_a_market_order_and_the_refusal_says_so: "
        given account f cash 200000
        given route s f
        given stale quotes
        09:31:00 quote rb2505.SHFE 3300
        09:31:20 S1 buy 1 rb2505.SHFE market
           -> S1.1 denied LOT_SIZE,QUOTE_STALE
           -> S1 denied LOT_SIZE,QUOTE_STALE
        09:31:21 numbers S1.1
           -> LOT_SIZE: a market order, limit none: this exchange takes no market orders, and no fresh price is known to set a limit by
           -> QUOTE_STALE: Millis(20000), limit Millis(15000)
    ";

    a_person_who_sells_all_lots_leaves_those_that_are_being_closed: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3300
        09:31 S1 buy 3 rb2505.SHFE @ 3300
           -> f: submit S1.1 buy open 3 @ 3300.00
        09:31 broker S1.1 filled e1 3 at 3300
           -> S1.1 filled 3 at 3300.00, fee 9.90
           -> S1 done
        Tue 09:05 quote rb2505.SHFE 3300
        09:05 S2 buy 1 rb2505.SHFE @ 3300
           -> f: submit S2.1 buy open 1 @ 3300.00
        09:05 broker S2.1 filled e1 1 at 3300
           -> S2.1 filled 1 at 3300.00, fee 3.30
           -> S2 done
        09:06 S3 sell 2 rb2505.SHFE @ 3350 effect close
           -> f: submit S3.1 sell close_yesterday 2 @ 3350.00
        09:07 S4 by hand in f sell 1 rb2505.SHFE @ 3340 effect close_today
           -> f: submit S4.1 sell close_today 1 @ 3340.00
        09:08 S5 by hand in f sell all rb2505.SHFE market
           -> f: submit S5.1 sell close_yesterday 1 @ 3234.00 ioc
        09:09 S6 by hand in f sell all rb2505.SHFE market
           -> S6 planned: nothing; residual 0
           -> S6 done
    ";

    a_person_who_buys_all_short_lots_back_leaves_those_that_are_being_closed: "
        given account f cash 3000000
        given route s f
        09:31 quote IF2503.CFFEX 4000
        09:31 S1 sell 3 IF2503.CFFEX @ 4000
           -> f: submit S1.1 sell open 3 @ 4000.00
        09:31 broker S1.1 filled e1 3 at 4000
           -> S1.1 filled 3 at 4000.00, fee 360.00
           -> S1 done
        09:32 S2 buy 1 IF2503.CFFEX @ 3950 effect close
           -> f: submit S2.1 buy close 1 @ 3950.00
        09:33 S3 by hand in f buy 1 IF2503.CFFEX @ 3940 effect open
           -> f: submit S3.1 buy open 1 @ 3940.00
        09:34 S4 by hand in f buy all IF2503.CFFEX market
           -> f: submit S4.1 buy close 2 market
        09:35 S5 by hand in f buy all IF2503.CFFEX market
           -> S5 planned: nothing; residual 0
           -> S5 done
    ";

    both_sides_are_closed_one_after_the_other_where_they_would_cross: "
        given account f cash 3000000
        given route s f
        given route t f
        09:31 quote IF2503.CFFEX 4000
        09:31 S1 buy 2 IF2503.CFFEX @ 4000 effect open
           -> f: submit S1.1 buy open 2 @ 4000.00
        09:31 broker S1.1 filled e1 2 at 4000
           -> S1.1 filled 2 at 4000.00, fee 240.00
           -> S1 done
        09:32 S2 of t sell 1 IF2503.CFFEX @ 4000 effect open
           -> f: submit S2.1 sell open 1 @ 4000.00
        09:32 broker S2.1 filled e1 1 at 4000
           -> S2.1 filled 1 at 4000.00, fee 120.00
           -> S2 done
        09:33 S3 by hand in f sell all IF2503.CFFEX market till done every 30 tell after 300
           -> f: submit S3.1 sell close 2 market
        09:33 S4 by hand in f buy all IF2503.CFFEX market till done every 30 tell after 300
           -> S4.1 denied CROSSING
        09:33:01 broker S3.1 filled e1 2 at 3999
           -> S3.1 filled 2 at 3999.00, fee 239.94
           -> S3 done
        09:33:02
           -> f: submit S4.1#2 buy close 1 market
    ";

    what_waited_for_an_own_order_does_not_end_because_another_one_takes_its_lots: "
        given account f cash 3000000
        given route s f
        given route t f
        09:31 quote IF2503.CFFEX 4000
        09:31 S1 buy 2 IF2503.CFFEX @ 4000 effect open
           -> f: submit S1.1 buy open 2 @ 4000.00
        09:31 broker S1.1 filled e1 2 at 4000
           -> S1.1 filled 2 at 4000.00, fee 240.00
           -> S1 done
        09:32 S2 of t sell 1 IF2503.CFFEX @ 4000 effect open
           -> f: submit S2.1 sell open 1 @ 4000.00
        09:32 broker S2.1 filled e1 1 at 4000
           -> S2.1 filled 1 at 4000.00, fee 120.00
           -> S2 done
        09:33 S3 by hand in f sell all IF2503.CFFEX market till done every 30 tell after 300
           -> f: submit S3.1 sell close 2 market
        09:33 S4 by hand in f buy all IF2503.CFFEX market till done every 30 tell after 300
           -> S4.1 denied CROSSING
        09:33:01 broker S3.1 filled e1 2 at 3999
           -> S3.1 filled 2 at 3999.00, fee 239.94
           -> S3 done
        09:33:01 S5 by hand in f buy 1 IF2503.CFFEX @ 3990 effect close
           -> f: submit S5.1 buy close 1 @ 3990.00
        09:33:02
           -> S4.1#2 denied SELLABLE
           -> S4.1 asks a person: attempts_used
           -> f: exception asked, opened
        09:34 broker S5.1 accepted
           -> S5.1 accepted
        09:34:01 cancel S5
           -> f: cancel S5.1
        09:34:02 broker S5.1 canceled
           -> S4.1#3 denied SELLABLE
           -> S5.1 canceled
           -> S5 canceled
        09:36
           -> f: submit S4.1#4 buy close 1 market
    ";

    a_close_of_more_lots_than_there_are_is_told_how_many_there_are: "
        given account f cash 200000
        given route s f
        09:31 quote rb2505.SHFE 3300
        09:31 S1 buy 1 rb2505.SHFE @ 3300
           -> f: submit S1.1 buy open 1 @ 3300.00
        09:31 broker S1.1 filled e1 1 at 3300
           -> S1.1 filled 1 at 3300.00, fee 3.30
           -> S1 done
        09:32 S2 sell 2 rb2505.SHFE @ 3300 effect close
           -> S2.1 denied SELLABLE
           -> S2 denied SELLABLE
        09:32 numbers S2.1
           -> SELLABLE: 2, limit 1
        09:33 S3 sell 2 rb2505.SHFE @ 3300 effect close_yesterday
           -> S3.1 denied SELLABLE
           -> S3 denied SELLABLE
        09:33 numbers S3.1
           -> SELLABLE: 2, limit 0
    ";
}
