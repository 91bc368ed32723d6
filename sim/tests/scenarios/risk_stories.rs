//! The stories of risk: limits that change, and what each of them stops.

use crate::stage::check;

stories! {
    the_strictest_of_the_three_scopes_counts: "
        given route s a
        given route t a
        09:31 limits global order_value 0.20
           -> limits 1 of global
        09:31 limits strategy:t order_value 0.10
           -> limits 1 of strategy:t
        09:32 S1 of s buy 1500 600000.SH @ 10.00
           -> a: submit S1.1 buy 1500 @ 10.00
        09:32 S2 of s buy 2100 000001.SZ @ 10.00
           -> S2.1 denied ORDER_VALUE
           -> S2 denied ORDER_VALUE
        09:32 S3 of t buy 1100 000001.SZ @ 10.00
           -> S3.1 denied ORDER_VALUE
           -> S3 denied ORDER_VALUE
        09:33 limits account:a order_value 0.60
           -> limits 1 of account:a; looser order_value
        09:33 S4 of s buy 2100 000001.SZ @ 10.00
           -> S4.1 denied ORDER_VALUE
           -> S4 denied ORDER_VALUE
        09:34 limits global
           -> limits 2 of global; looser order_value
        09:34 S5 of s buy 2100 000001.SZ @ 10.00
           -> a: submit S5.1 buy 2100 @ 10.00
    ";

    limits_that_were_set_outlive_a_restart: "
        09:31 limits account:a order_value 0.10 messages_per_second 1
           -> limits 1 of account:a
        09:32 restart
        09:33 S1 buy 1100 600000.SH @ 10.00
           -> S1.1 denied ORDER_VALUE
           -> S1 denied ORDER_VALUE
        09:34 limits account:a order_value 0.25 messages_per_second 1
           -> limits 2 of account:a; looser order_value
        09:35 S2 buy 100 600000.SH @ 10.00
           -> a: submit S2.1 buy 100 @ 10.00
        09:35 S3 buy 100 600000.SH @ 10.00
        09:35 broker S2.1 accepted
           -> S2.1 accepted
        09:35:02
           -> a: submit S3.1 buy 100 @ 10.00
    ";

    whoever_changes_a_version_that_is_not_the_newest_is_told: "
        09:31 limits account:a order_value 0.10 version 0
           -> limits 1 of account:a
        09:31 limits account:a order_value 0.90 version 0
           -> refused: the limits are at version 1
        09:31 limits account:nobody order_value 0.90
           -> refused: there is no such account
        09:32 S1 buy 1100 600000.SH @ 10.00
           -> S1.1 denied ORDER_VALUE
           -> S1 denied ORDER_VALUE
    ";

    a_pace_that_is_set_makes_orders_wait_and_denies_none: "
        09:31 limits account:a messages_per_minute 2
           -> limits 1 of account:a
        09:31:10 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:20 S2 buy 100 600000.SH @ 9.99
           -> a: submit S2.1 buy 100 @ 9.99
        09:31:30 S3 buy 100 600000.SH @ 9.98
        09:32:11
           -> a: submit S3.1 buy 100 @ 9.98
    ";

    the_minute_that_was_begun_goes_on_after_a_restart: "
        given account a cash 100000 pace 1
        09:31 limits account:a messages_per_minute 1
           -> limits 1 of account:a
        09:31:10 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:11 broker S1.1 accepted
           -> S1.1 accepted
        09:31:12 restart
           -> a: find S1.1
        09:31:13 broker S1.1 accepted
        09:31:14 S2 buy 100 600000.SH @ 9.99
        09:32:11
           -> a: submit S2.1 buy 100 @ 9.99
    ";

    a_limit_warns_at_four_fifths_once_a_day: "
        09:31 S1 buy 2000 600000.SH @ 10.00
           -> S1.1 warned ORDER_VALUE
           -> a: submit S1.1 buy 2000 @ 10.00
        09:32 S2 buy 400 600000.SH @ 10.00
           -> S2.1 warned POSITION
           -> a: submit S2.1 buy 400 @ 10.00
        09:33 S3 buy 100 600000.SH @ 10.00
           -> a: submit S3.1 buy 100 @ 10.00
        09:34 restart
           -> S1.1 in doubt
           -> S2.1 in doubt
           -> S3.1 in doubt
           -> alarm: S1.1 is in doubt
           -> alarm: S2.1 is in doubt
           -> alarm: S3.1 is in doubt
           -> a: find S1.1
           -> a: find S2.1
           -> a: find S3.1
        09:35 S4 buy 100 600000.SH @ 10.00
           -> a: submit S4.1 buy 100 @ 10.00
    ";

    the_exchanges_cage_is_on_the_aggressive_side_of_continuous_trading_only: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 buy 100 600000.SH @ 10.20
           -> a: submit S1.1 buy 100 @ 10.20
        09:31 S2 buy 200 600000.SH @ 10.21
           -> S2.1 denied PRICE_CAGE
           -> S2 denied PRICE_CAGE
        09:31 S3 buy 100 600000.SH @ 9.00
           -> a: submit S3.1 buy 100 @ 9.00
        09:31 S4 sell 100 600000.SH @ 9.79
           -> S4.1 denied PRICE_CAGE,CROSSING
           -> S4 denied PRICE_CAGE,CROSSING
        09:31 S5 sell 100 600000.SH @ 11.00
           -> a: submit S5.1 sell 100 @ 11.00
        14:58 S6 buy 100 600000.SH @ 10.90
           -> a: submit S6.1 buy 100 @ 10.90
    ";

    where_the_exchange_has_no_cage_ours_is_two_percent_and_the_limit_price_is_free: "
        given account a cash 100000
        09:31 quote 510300.SH 4.000 prev 4.000
        09:31 S1 buy 100 510300.SH @ 4.080
           -> a: submit S1.1 buy 100 @ 4.08
        09:31 S2 buy 100 510300.SH @ 4.081
           -> S2.1 denied PRICE_COLLAR
           -> S2 denied PRICE_COLLAR
        09:31 S3 buy 100 510300.SH @ 4.400
           -> a: submit S3.1 buy 100 @ 4.40
        09:32 limits account:a collar 0.03
           -> limits 1 of account:a; looser collar
        09:32 S4 buy 100 510300.SH @ 4.081
           -> a: submit S4.1 buy 100 @ 4.081
    ";

    the_last_price_of_the_morning_is_good_after_lunch: "
        given stale quotes
        11:29:55 quote 600000.SH 10.00
        13:00:05 S1 buy 100 600000.SH market
           -> a: submit S1.1 buy 100 market
        13:00:11 S2 buy 100 600000.SH market
           -> S2.1 denied QUOTE_STALE
           -> S2 denied QUOTE_STALE
        14:56:30 quote 600000.SH 10.00
        14:59:50 S3 buy 100 600000.SH @ 10.00
           -> a: submit S3.1 buy 100 @ 10.00
    ";

    what_is_restricted_is_neither_bought_nor_sold: "
        given account a cash 100000 s 000001.SZ 500
        09:31 limits global restricted 000001.XSHE
           -> limits 1 of global
        09:31 S1 buy 100 000001.SZ @ 10.00
           -> S1.1 denied RESTRICTED
           -> S1 denied RESTRICTED
        09:31 S2 sell 100 000001.SZ @ 10.00
           -> S2.1 denied RESTRICTED
           -> S2 denied RESTRICTED
        09:31 S3 buy 100 600000.SH @ 10.00
           -> a: submit S3.1 buy 100 @ 10.00
    ";

    a_board_without_permission_is_not_bought_and_may_be_sold: "
        given account a cash 100000 s 688981.SH 500
        09:31 limits account:a permissions chinext,st
           -> limits 1 of account:a
        09:31 S1 buy 200 688981.SH @ 10.00
           -> S1.1 denied PERMISSION
           -> S1 denied PERMISSION
        09:31 S2 sell 200 688981.SH @ 10.00
           -> a: submit S2.1 sell 200 @ 10.00
    ";

    an_account_does_not_trade_with_itself: "
        given account a cash 100000 s 600000.SH 500
        given route s a
        given route t a
        09:31 S1 of t buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 of s sell 100 600000.SH @ 10.00
           -> S2.1 denied CROSSING
           -> S2 denied CROSSING
        09:31 S3 of s sell 100 600000.SH @ 10.01
           -> a: submit S3.1 sell 100 @ 10.01
        09:31 S4 of t buy 100 600000.SH @ 10.01
           -> S4.1 denied CROSSING
           -> S4 denied CROSSING
        09:32 restart
           -> S1.1 in doubt
           -> S3.1 in doubt
           -> alarm: S1.1 is in doubt
           -> alarm: S3.1 is in doubt
           -> a: find S1.1
           -> a: find S3.1
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 S5 of s sell 100 600000.SH @ 10.00
           -> S5.1 denied CROSSING
           -> S5 denied CROSSING
        09:33 cancel S1
           -> a: cancel S1.1
        09:33 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:33 S6 of s sell 100 600000.SH @ 10.00
           -> a: submit S6.1 sell 100 @ 10.00
    ";

    an_account_that_may_trade_with_itself_is_told_of_it: "
        given account a cash 100000 s 600000.SH 500
        09:30 limits account:a crossing warn
           -> limits 1 of account:a; looser crossing
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 sell 100 600000.SH @ 10.00
           -> S2.1 warned CROSSING
           -> a: submit S2.1 sell 100 @ 10.00
    ";

    an_order_against_one_of_another_own_account_waits_for_five_seconds: "
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500
        given route s a
        given route t b
        09:31 S1 of s buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 of t sell 100 600000.SH @ 10.00
           -> S2.1 warned CROSSING
        09:31:01 S3 of t sell 100 600000.SH @ 10.01
           -> b: submit S3.1 sell 100 @ 10.01
        09:31:04
        09:31:05
           -> b: submit S2.1 sell 100 @ 10.00
        09:32 limits global crossing_hold_s 0
           -> limits 1 of global
        09:32 S4 of t sell 100 600000.SH @ 10.00
        09:32:05
           -> b: submit S4.1 sell 100 @ 10.00
        09:33 limits account:b crossing_hold_s 0
           -> limits 1 of account:b; looser crossing_hold_s
        09:33 S5 of t sell 100 600000.SH @ 10.00
           -> b: submit S5.1 sell 100 @ 10.00
    ";

    what_waits_for_another_own_account_wakes_nobody_before_its_time: "
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500 pace 1
        given route s a
        given route t b
        09:31 S1 of s buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 of t sell 100 600000.SH @ 10.05
           -> b: submit S2.1 sell 100 @ 10.05
        09:31 S3 of t sell 100 600000.SH @ 10.00
           -> S3.1 warned CROSSING
        09:31:04
        09:31:05
           -> b: submit S3.1 sell 100 @ 10.00
    ";

    what_waits_for_another_own_account_outlives_a_restart: "
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500
        given route s a
        given route t b
        09:31 S1 of s buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 of t sell 100 600000.SH @ 10.00
           -> S2.1 warned CROSSING
        09:31:02 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:04
        09:31:05
           -> b: submit S2.1 sell 100 @ 10.00
        09:31:06 broker S2.1 accepted
           -> S2.1 accepted
    ";

    what_waits_for_another_own_account_can_be_canceled: "
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500
        given route s a
        given route t b
        09:31 S1 of s buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 of t sell 100 600000.SH @ 10.00
           -> S2.1 warned CROSSING
        09:31:02 cancel S2
           -> S2.1 never sent
           -> S2 canceled
        09:31:03 show b
           -> b: cash 100000.00 reserved 0.00, t 600000.SH 500 (500 sellable)
        09:31:10 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:20 show b
           -> b: cash 100000.00 reserved 0.00, t 600000.SH 500 (500 sellable)
    ";

    nobody_waits_into_a_pause_nor_beyond_a_halt: "
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500
        given route s a
        given route t b
        11:29 S1 of s buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        11:29:57 S2 of t sell 100 600000.SH @ 10.00
           -> S2.1 warned CROSSING
           -> b: submit S2.1 sell 100 @ 10.00
        11:30:10
        13:02 S3 of t sell 100 600000.SH @ 10.00
        13:02:01 halt
           -> S3.1 never sent
           -> S3 canceled
        13:02:10
    ";

    whoever_reprices_while_he_waits_waits_once: "
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500
        given route s a
        given route t b
        09:31 S1 of s buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 of t sell 100 600000.SH priced last reprice every 3 times 5
           -> S2.1 warned CROSSING
        09:31:02 quote 600000.SH 9.99
        09:31:04
        09:31:10
           -> S2.1 is taken back: repriced
           -> b: submit S2.1 sell 100 @ 10.00
        09:31:11 broker S2.1 accepted
           -> S2.1 accepted
           -> b: cancel S2.1
        09:31:12 broker S2.1 canceled
           -> S2.1 canceled
        09:31:21
        09:31:23
           -> b: submit S2.1#2 sell 100 @ 9.99
    ";

    shares_per_order_and_per_symbol_can_be_limited_too: "
        09:31 limits account:a order_qty_max 500 position_qty_max 700
           -> limits 1 of account:a
        09:31 S1 buy 600 600000.SH @ 10.00
           -> S1.1 denied ORDER_QTY
           -> S1 denied ORDER_QTY
        09:31 S2 buy 300 600000.SH @ 10.00
           -> a: submit S2.1 buy 300 @ 10.00
        09:31 S3 buy 500 600000.SH @ 10.00
           -> S3.1 denied POSITION
           -> S3 denied POSITION
    ";

    everything_together_can_be_limited: "
        09:31 limits account:a exposure 0.50
           -> limits 1 of account:a
        09:31 S1 buy 1900 600000.SH @ 10.00
           -> a: submit S1.1 buy 1900 @ 10.00
        09:31 S2 buy 1900 000001.SZ @ 10.00
           -> a: submit S2.1 buy 1900 @ 10.00
        09:31 S3 buy 200 688981.SH @ 10.00
           -> S3.1 warned EXPOSURE
           -> a: submit S3.1 buy 200 @ 10.00
        09:31 S4 buy 1100 688981.SH @ 10.00
           -> S4.1 denied EXPOSURE
           -> S4 denied EXPOSURE
    ";

    buys_of_one_symbol_are_counted: "
        given account a cash 100000 s 600000.SH 500
        09:31 limits account:a symbol_orders_max 2
           -> limits 1 of account:a
        09:31 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
        09:31 S2 buy 100 600000.SH @ 9.80
           -> S2.1 warned SYMBOL_ORDERS
           -> a: submit S2.1 buy 100 @ 9.80
        09:31 S3 buy 100 600000.SH @ 9.70
           -> S3.1 denied SYMBOL_ORDERS
           -> S3 denied SYMBOL_ORDERS
        09:31 S4 sell 100 600000.SH @ 10.10
           -> a: submit S4.1 sell 100 @ 10.10
        09:32 broker S1.1 rejected
           -> S1.1 rejected
           -> S1 canceled
        09:32 S5 buy 100 600000.SH @ 9.70
           -> a: submit S5.1 buy 100 @ 9.70
    ";

    a_strategy_that_runs_away_is_held_until_a_person_lets_it_go_and_reduces_meanwhile: "
        given account a cash 100000 s 600000.SH 500
        09:31 limits account:a strategy_orders_max 2
           -> limits 1 of account:a
        09:31 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
        09:31 S2 buy 100 600000.SH @ 9.80
           -> S2.1 warned STRATEGY_ORDERS
           -> a: submit S2.1 buy 100 @ 9.80
        09:31 S3 buy 100 600000.SH @ 9.70
           -> strategy:s is reducing: more orders in ten minutes than its plans need
           -> S3.1 denied STRATEGY_ORDERS
           -> S3 denied STRATEGY_ORDERS
        09:32 restart
           -> S1.1 in doubt
           -> S2.1 in doubt
           -> alarm: S1.1 is in doubt
           -> alarm: S2.1 is in doubt
           -> a: find S1.1
           -> a: find S2.1
        09:33 S4 buy 100 600000.SH @ 9.70
           -> S4.1 denied TRADING_STATE,STRATEGY_ORDERS
           -> S4 denied TRADING_STATE,STRATEGY_ORDERS
        09:34 S5 sell 100 600000.SH @ 10.10
           -> a: submit S5.1 sell 100 @ 10.10
        09:50 S6 buy 100 600000.SH @ 9.70
           -> S6.1 denied TRADING_STATE
           -> S6 denied TRADING_STATE
        09:51 release strategy s
        09:52 S7 buy 100 600000.SH @ 9.70
           -> a: submit S7.1 buy 100 @ 9.70
    ";

    what_is_opened_within_a_minute_is_bounded: "
        09:31 limits account:a notional_minute 0.30
           -> limits 1 of account:a
        09:31 S1 buy 1900 600000.SH @ 10.00
           -> a: submit S1.1 buy 1900 @ 10.00
        09:31:40 S2 buy 1200 000001.SZ @ 10.00
           -> S2.1 denied NOTIONAL_MINUTE
           -> S2 denied NOTIONAL_MINUTE
        09:32:30 S3 buy 1200 000001.SZ @ 10.00
           -> a: submit S3.1 buy 1200 @ 10.00
    ";

    what_is_opened_within_a_day_is_bounded_and_survives_a_restart: "
        09:31 limits account:a notional_day 0.30
           -> limits 1 of account:a
        09:31 S1 buy 1900 600000.SH @ 10.00
           -> a: submit S1.1 buy 1900 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 900 at 10.00
           -> S1.1 filled 900 at 10.00, fee 5.09
        09:33 cancel S1
           -> a: cancel S1.1
        09:33 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 partially_done
        09:34 restart
           -> a: find S1.1
        09:35 S2 buy 2000 000001.SZ @ 10.00
           -> S2.1 warned ORDER_VALUE
           -> S2.1 warned NOTIONAL_DAY
           -> a: submit S2.1 buy 2000 @ 10.00
        09:40 S3 buy 200 688981.SH @ 10.00
           -> S3.1 denied NOTIONAL_DAY
           -> S3 denied NOTIONAL_DAY
        Tue 09:35 S4 buy 200 688981.SH @ 10.00
           -> a: submit S4.1 buy 200 @ 10.00
    ";

    a_parent_is_not_tried_for_ever: "
        09:31 limits account:a attempts_failed 2
           -> limits 1 of account:a
        09:31 ask buy 100 600000.SH @ 10.00
           -> a: submit S0.1 buy 100 @ 10.00
        09:31 broker asked rejected
           -> S0.1 rejected
        09:32 again
           -> a: submit S0.1#2 buy 100 @ 10.00
        09:32 broker asked rejected
           -> S0.1#2 rejected
        09:33 again
           -> S0.1#3 denied ATTEMPTS
    ";

    after_a_cancel_the_next_attempt_comes_ten_seconds_later: "
        09:31 ask buy 100 600000.SH @ 10.00
           -> a: submit S0.1 buy 100 @ 10.00
        09:31 broker asked accepted
           -> S0.1 accepted
        09:32 cancel asked
           -> a: cancel S0.1
        09:32 broker asked canceled
           -> S0.1 canceled
        09:32:05 restart
           -> a: find S0.1
        09:32:09 again
           -> S0.1#2 denied ATTEMPTS
        09:32:10 again
           -> a: submit S0.1#3 buy 100 @ 10.00
    ";

    an_ordinary_day_a_whole_portfolio_is_switched_at_half_past_nine: "
        given paper
        given account a cash 2000 s 600000.SH 2400 s 000001.SZ 2400 s 000002.SZ 2400 s 600004.SH 2400
        09:30 quote 000002.SZ 10.00 prev 10.00
        09:30 quote 600004.SH 10.00 prev 10.00
        09:30 quote 688981.SH 10.00 prev 10.00
        09:30 quote 000004.SZ 10.00 prev 10.00
        09:30 quote 000005.SZ 10.00 prev 10.00
        09:31 S1 sell 2400 600000.SH market
           -> a: submit S1.1 sell 2400 market
           -> S1.1 accepted
           -> S1.1 filled 2400 at 10.00, fee 18.24
           -> S1 done
        09:31 S2 sell 2400 000001.SZ market
           -> a: submit S2.1 sell 2400 market
           -> S2.1 accepted
           -> S2.1 filled 2400 at 10.00, fee 18.24
           -> S2 done
        09:31 S3 sell 2400 000002.SZ market
           -> a: submit S3.1 sell 2400 market
           -> S3.1 accepted
           -> S3.1 filled 2400 at 10.00, fee 18.24
           -> S3 done
        09:31 S4 sell 2400 600004.SH market
           -> a: submit S4.1 sell 2400 market
           -> S4.1 accepted
           -> S4.1 filled 2400 at 10.00, fee 18.24
           -> S4 done
        09:31:02 S5 buy 1900 688981.SH @ 10.00
           -> a: submit S5.1 buy 1900 @ 10.00
           -> S5.1 accepted
           -> S5.1 filled 1900 at 10.00, fee 5.19
           -> S5 done
        09:31:03 S6 buy 1900 000004.SZ @ 10.00
           -> a: submit S6.1 buy 1900 @ 10.00
           -> S6.1 accepted
           -> S6.1 filled 1900 at 10.00, fee 5.19
           -> S6 done
        09:31:04 S7 buy 1900 000005.SZ @ 10.00
           -> a: submit S7.1 buy 1900 @ 10.00
           -> S7.1 accepted
           -> S7.1 filled 1900 at 10.00, fee 5.19
           -> S7 done
        09:31:05 S8 buy 1900 600000.SH @ 10.00
           -> a: submit S8.1 buy 1900 @ 10.00
           -> S8.1 accepted
           -> S8.1 filled 1900 at 10.00, fee 5.19
           -> S8 done
        09:31:06 S9 buy 1900 000001.SZ @ 10.00
           -> S9.1 warned NOTIONAL_MINUTE
           -> a: submit S9.1 buy 1900 @ 10.00
           -> S9.1 accepted
           -> S9.1 filled 1900 at 10.00, fee 5.19
           -> S9 done
    ";

    an_ordinary_day_a_stock_is_chased_to_its_limit_price: "
        09:31 quote 600000.SH 10.93 prev 10.00
        09:31 S1 buy 2200 600000.SH @ 11.00
           -> S1.1 warned ORDER_VALUE
           -> S1.1 warned POSITION
           -> a: submit S1.1 buy 2200 @ 11.00
    ";

    an_ordinary_day_an_account_that_may_goes_all_in: "
        09:30 limits account:a order_value 1 position 1
           -> limits 1 of account:a; looser order_value,position
        09:31 S1 buy 9900 600000.SH @ 10.00
           -> S1.1 warned ORDER_VALUE
           -> S1.1 warned POSITION
           -> S1.1 warned NOTIONAL_MINUTE
           -> a: submit S1.1 buy 9900 @ 10.00
    ";
}

/// Ten prices below the market and ten above it, half a percent apart, and each that trades is placed again on the other
/// side, for some rounds.
#[test]
fn an_ordinary_day_a_grid_works() {
    use std::fmt::Write;

    let mut story = "given account a cash 100000 s 600000.SH 2000\n".to_owned();
    let (mut signal, mut at) = (0, 0);
    let mut place = |story: &mut String, side: &str, price: u32| {
        (signal, at) = (signal + 1, at + 1);
        let (px, minute, second) = (format!("{}.{:02}", price / 100, price % 100), 31 + at / 60, at % 60);
        let _ = write!(
            story,
            "09:{minute}:{second:02} S{signal} {side} 100 600000.SH @ {px}
                -> a: submit S{signal}.1 {side} 100 @ {px}
             09:{minute}:{second:02} broker S{signal}.1 accepted
                -> S{signal}.1 accepted\n"
        );
        signal
    };
    for step in 1..=10 {
        place(&mut story, "buy", 1_000 - 5 * step);
        place(&mut story, "sell", 1_000 + 5 * step);
    }
    check(&story);
}
