//! The stories.
//!
//! To change one: change its lines, run it, and read what it says went otherwise before taking it over.

use crate::stage::check;

stories! {
    a_limit_buy_fills_and_pays_its_fees: "
        given paper
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
        09:31 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    f23_what_is_left_of_a_partial_fill_is_cancelled_and_its_cash_is_free_again: "
        09:31 S1 buy 1000 600000.SH @ 10.00
           -> a: submit S1.1 buy 1000 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 300 at 9.99
           -> S1.1 filled 300 at 9.99, fee 5.03
        09:32 show a
           -> a: cash 96997.97 reserved 7000.07, s 600000.SH 300 (0 sellable)
        09:33 cancel S1
           -> a: cancel S1.1
        09:33 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 partially_done
        09:33 show a
           -> a: cash 96997.97 reserved 0.00, s 600000.SH 300 (0 sellable)
    ";

    a_lost_reply_leaves_the_order_in_doubt_until_a_lookup_finds_it_and_is_never_resent_blindly: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:32 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:32 broker S1.1 lost
        09:32:01 show a
           -> a: cash 100000.00 reserved 1005.01
        09:32:02
           -> a: find S1.1
        09:32:03 broker S1.1 accepted
           -> S1.1 accepted
        09:32:04 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    an_order_that_the_lookup_does_not_find_is_sent_again_under_the_same_id: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:30 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:31 broker S1.1 not found
           -> a: submit S1.1 buy 100 @ 10.00 again
        09:31:32 broker S1.1 accepted
           -> S1.1 accepted
        09:31:33 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
        09:31:33 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    at_a_broker_without_enforced_ids_not_found_proves_nothing: "
        given account a cash 100000 level 2
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:30 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:31 broker S1.1 not found
           -> alarm: unexplained report of S1.1
        09:31:32 show a
           -> a: cash 100000.00 reserved 1005.01
    ";

    a_doubt_holds_back_the_next_order_of_its_symbol_and_side_at_such_a_broker_and_no_other: "
        given account a cash 100000 level 2
        given route s a
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:30 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:40 S2 buy 200 600000.SH @ 10.00
        09:31:41 S3 buy 100 000001.SZ @ 10.00
           -> a: submit S3.1 buy 100 @ 10.00
        09:31:50 broker S1.1 accepted
           -> S1.1 accepted
           -> a: submit S2.1 buy 200 @ 10.00
    ";

    an_order_that_is_not_found_after_it_was_cancelled_is_absent_and_not_sent_again: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:30 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:31 cancel S1
        09:31:32 broker S1.1 not found
           -> S1.1 absent
           -> S1 canceled
        09:31:32 show a
           -> a: cash 100000.00 reserved 0.00
    ";

    f14_a_restart_puts_what_was_being_sent_in_doubt: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:01 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:31:02 broker S1.1 accepted
           -> S1.1 accepted
        09:31:03 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    a_restart_before_anything_was_durable_sends_the_order_once: "
        09:31 hold journal
        09:31 S1 buy 100 600000.SH @ 10.00
        09:31:01 restart
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    a_restart_asks_for_what_a_working_order_did_meanwhile: "
        09:31 S1 buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:31 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32 restart
           -> a: find S1.1
        09:32 broker S1.1 accepted
        09:32 broker S1.1 filled E1 100 at 10.00
        09:32 broker S1.1 filled E2 100 at 9.98
           -> S1.1 filled 100 at 9.98, fee 0.01
           -> S1 done
        09:32 show a
           -> a: cash 97996.98 reserved 0.00, s 600000.SH 200 (0 sellable)
    ";

    nothing_leaves_before_it_is_durable: "
        09:31 hold journal
        09:31 S1 buy 100 600000.SH @ 10.00
        09:32
        09:33 release journal
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    cancel_all_takes_back_what_works_and_what_waits: "
        given account a cash 100000 in_flight 1
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:31 S2 buy 200 600000.SH @ 10.00
           -> a: submit S2.1 buy 200 @ 10.00
        09:31 S3 buy 300 600000.SH @ 10.00
        09:32 cancel all a
           -> S3.1 never sent
           -> S3 canceled
           -> a: cancel S1.1
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:32 broker S2.1 accepted
           -> S2.1 accepted
           -> a: cancel S2.1
        09:32 broker S2.1 canceled
           -> S2.1 canceled
           -> S2 canceled
        09:32 show a
           -> a: cash 100000.00 reserved 0.00
    ";

    f65_a_halt_between_approval_and_send_ends_the_order_unsent: "
        given account a cash 100000 in_flight 1
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 buy 200 600000.SH @ 10.00
        09:31:10 halt
           -> S2.1 never sent
           -> S2 canceled
        09:31:20 broker S1.1 accepted
           -> S1.1 accepted
        09:31:20 show a
           -> a: cash 100000.00 reserved 1005.01
    ";

    a_day_order_rides_into_the_close_and_no_cancel_is_sent: "
        14:50 S1 buy 100 600000.SH @ 9.50
           -> a: submit S1.1 buy 100 @ 9.50
        14:50 broker S1.1 accepted
           -> S1.1 accepted
        15:01 broker S1.1 expired
           -> S1.1 expired
           -> S1 expired
    ";

    a_buy_that_would_end_in_the_closing_auction_is_taken_back_before_it_and_a_sell_rides_along: "
        given account a cash 100000 s 600000.SH 500
        14:50 S1 buy 100 600000.SH @ 9.50 until 14:58
           -> a: submit S1.1 buy 100 @ 9.50
        14:50 broker S1.1 accepted
           -> S1.1 accepted
        14:51 S2 sell 100 600000.SH @ 10.50 until 14:58
           -> a: submit S2.1 sell 100 @ 10.50
        14:51 broker S2.1 accepted
           -> S2.1 accepted
        14:56:31
           -> a: cancel S1.1
        15:01
    ";

    a_halt_ends_what_waits_at_once_also_behind_what_may_go: "
        given account a cash 100000 s 600000.SH 500 pace 1
        09:31 S1 sell 100 600000.SH @ 10.00
           -> a: submit S1.1 sell 100 @ 10.00
        09:31 S2 sell 200 600000.SH @ 10.00
        09:31 S3 buy 100 000001.SZ @ 10.00
        09:31 reduce
           -> S3.1 never sent
           -> S3 canceled
        09:31:02
           -> a: submit S2.1 sell 200 @ 10.00
    ";

    a_cancel_waits_for_no_pace_and_the_next_order_waits_the_longer: "
        given account a cash 100000 pace 1
        09:31:00 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:00 cancel S1
           -> a: cancel S1.1
        09:31:00 S2 buy 100 600000.SH @ 9.90
        09:31:01
        09:31:02
        09:31:03
           -> a: submit S2.1 buy 100 @ 9.90
    ";

    cancels_count_against_the_days_ceiling_and_are_never_refused: "
        given account a cash 100000 ceiling 2
        09:31 S1 buy 100 600000.SH @ 9.50
           -> a: submit S1.1 buy 100 @ 9.50
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:33 S2 buy 100 600000.SH @ 9.50
           -> S2.1 denied MESSAGE_CEILING
           -> S2 denied MESSAGE_CEILING
    ";

    a_fill_that_nobody_heard_of_before_a_restart_is_asked_for_and_booked: "
        09:31 S1 buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:33 restart
           -> a: find S1.1
        09:33 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 partially_done
        09:33 broker S1.1 filled E1 100 at 10.00
        09:33 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    while_reducing_a_buy_is_denied_and_a_sell_goes_out: "
        given account a cash 100000 s 600000.SH 500
        09:31 reduce
        09:31 S1 buy 100 600000.SH @ 10.00
           -> S1.1 denied TRADING_STATE
           -> S1 denied TRADING_STATE
        09:31 S2 sell 100 600000.SH @ 10.00
           -> a: submit S2.1 sell 100 @ 10.00
        09:32 halt
        09:32 S3 sell 100 600000.SH @ 10.00
           -> S3.1 denied TRADING_STATE
           -> S3 denied TRADING_STATE
        09:32 cancel S2
        09:33 broker S2.1 accepted
           -> S2.1 accepted
           -> a: cancel S2.1
    ";

    a_stopped_strategy_denies_also_what_waited: "
        08:00 S1 buy 100 600000.SH @ 10.00
           -> S1 waits for session, looks again at 09:30
        09:00 stop s
           -> S1 denied STRATEGY_STOPPED
        09:30
        09:31 S2 buy 100 600000.SH @ 10.00
           -> S2 denied STRATEGY_STOPPED
    ";

    an_account_that_is_not_there_is_not_ready: "
        given account a cash 100000
        given route s a+b
        09:31 S1 buy 200 600000.SH @ 10.00
           -> S1 planned: a buy 200, b buy 200; residual 0
           -> S1.2 denied ACCOUNT_NOT_READY
           -> a: submit S1.1 buy 200 @ 10.00
    ";

    an_unknown_instrument_is_denied_as_a_whole: "
        09:31 S1 buy 100 600099.SH @ 10.00
           -> S1 denied INSTRUMENT_UNKNOWN
    ";

    an_order_at_lunch_is_refused_by_risk_itself: "
        11:45 ask buy 100 600000.SH @ 10.00
           -> S0.1 denied SESSION_CLOSED
    ";

    half_a_lot_cannot_be_bought: "
        09:31 S1 buy 150 600000.SH @ 10.00
           -> S1.1 denied LOT_SIZE
           -> S1 denied LOT_SIZE
        09:31 S2 buy 100 688981.SH @ 10.00
           -> S2.1 denied LOT_SIZE
           -> S2 denied LOT_SIZE
    ";

    a_price_between_ticks_is_denied: "
        09:31 S1 buy 100 600000.SH @ 10.005
           -> S1.1 denied TICK_SIZE
           -> S1 denied TICK_SIZE
    ";

    an_old_quote_is_no_ground_for_an_order: "
        given stale quotes
        09:31 quote 600000.SH 10.00
        09:31:16 S1 buy 100 600000.SH market
           -> S1.1 denied QUOTE_STALE
           -> S1 denied QUOTE_STALE
        09:32:00 S2 buy 100 600000.SH @ 10.00
           -> a: submit S2.1 buy 100 @ 10.00
        09:32:01 S3 buy 100 600000.SH @ 10.00
           -> S3.1 denied QUOTE_STALE
           -> S3 denied QUOTE_STALE
    ";

    the_days_limit_prices_hold: "
        09:31 quote 600000.SH 10.90
        09:31 S1 buy 100 600000.SH @ 11.00
           -> a: submit S1.1 buy 100 @ 11.00
        09:31 S2 buy 100 600000.SH @ 11.01
           -> S2.1 denied PRICE_LIMIT
           -> S2 denied PRICE_LIMIT
        09:31 S3 buy 100 600000.SH @ 8.99
           -> S3.1 denied PRICE_LIMIT
           -> S3 denied PRICE_LIMIT
    ";

    f03_the_same_order_without_a_key_a_moment_later_is_a_duplicate: "
        09:31:00 ask buy 100 600000.SH @ 10.00
           -> a: submit S0.1 buy 100 @ 10.00
        09:31:03 ask buy 100 600000.SH @ 10.00
           -> S0.1 denied DUPLICATE
        09:31:03 ask buy 200 600000.SH @ 10.00
           -> a: submit S0.1 buy 200 @ 10.00
        09:31:06 ask buy 100 600000.SH @ 10.00
           -> a: submit S0.1 buy 100 @ 10.00
    ";

    the_same_order_asked_for_twice_under_one_id_is_approved_once: "
        09:31 ask twice buy 100 600000.SH @ 10.00
           -> a: submit S0.1 buy 100 @ 10.00
        09:31 show a
           -> a: cash 100000.00 reserved 1005.01
    ";

    cash_that_is_set_aside_is_not_there_for_another_order: "
        given account a cash 10000 x 000001.SZ 10000
        09:31 S1 buy 900 600000.SH @ 10.00
           -> a: submit S1.1 buy 900 @ 10.00
        09:31 S2 buy 100 600000.SH @ 10.00
           -> S2.1 denied CASH
           -> S2 denied CASH
        09:31:10 broker S1.1 rejected
           -> S1.1 rejected
           -> S1 canceled
        09:31:20 S3 buy 900 600000.SH @ 10.00
           -> a: submit S3.1 buy 900 @ 10.00
    ";

    what_was_bought_today_cannot_be_sold_today: "
        given paper
        given account a cash 100000 s 600000.SH 200
        09:31 S1 buy 300 600000.SH @ 10.00
           -> a: submit S1.1 buy 300 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 300 at 10.00, fee 5.03
           -> S1 done
        09:32 S2 sell 500 600000.SH @ 10.00
           -> S2.1 denied SELLABLE
           -> S2 denied SELLABLE
        09:33 S3 sell 200 600000.SH @ 10.00
           -> a: submit S3.1 sell 200 @ 10.00
           -> S3.1 accepted
           -> S3.1 filled 200 at 10.00, fee 6.02
           -> S3 done
        Tue 09:31 quote 600000.SH 10.00
        Tue 09:31 S4 sell 300 600000.SH @ 10.00
           -> a: submit S4.1 sell 300 @ 10.00
           -> S4.1 accepted
           -> S4.1 filled 300 at 10.00, fee 6.53
           -> S4 done
        Tue 09:31 show a
           -> a: cash 101982.42 reserved 0.00
    ";

    shares_in_one_book_are_not_there_for_another_strategy: "
        given account a cash 100000 s 600000.SH 200 t 600000.SH 300
        given route s a
        given route t a
        09:31 S1 of s sell 300 600000.SH @ 10.00
           -> S1.1 denied SELLABLE
           -> S1 denied SELLABLE
        09:31 S2 of t sell 300 600000.SH @ 10.00
           -> a: submit S2.1 sell 300 @ 10.00
    ";

    one_order_is_a_quarter_of_the_equity_at_the_most: "
        09:31 S1 buy 2500 600000.SH @ 10.00
           -> S1.1 warned ORDER_VALUE
           -> S1.1 warned POSITION
           -> a: submit S1.1 buy 2500 @ 10.00
        09:31 S2 buy 2600 600000.SH @ 10.00
           -> S2.1 denied ORDER_VALUE,POSITION
           -> S2 denied ORDER_VALUE,POSITION
    ";

    one_symbol_is_three_tenths_of_the_equity_at_the_most_with_what_is_on_its_way: "
        09:31 S1 buy 2000 600000.SH @ 10.00
           -> S1.1 warned ORDER_VALUE
           -> a: submit S1.1 buy 2000 @ 10.00
        09:31 S2 buy 1000 600000.SH @ 10.00
           -> S2.1 warned POSITION
           -> a: submit S2.1 buy 1000 @ 10.00
        09:31 S3 buy 100 600000.SH @ 10.00
           -> S3.1 denied POSITION
           -> S3 denied POSITION
    ";

    too_many_open_orders_are_denied: "
        given account a cash 100000 open 2
        09:31 S1 buy 100 600000.SH @ 9.50
           -> a: submit S1.1 buy 100 @ 9.50
        09:31 S2 buy 100 600000.SH @ 9.51
           -> S2.1 warned OPEN_ORDERS
           -> a: submit S2.1 buy 100 @ 9.51
        09:31 S3 buy 100 600000.SH @ 9.52
           -> S3.1 denied OPEN_ORDERS
           -> S3 denied OPEN_ORDERS
        09:31 broker S1.1 rejected
           -> S1.1 rejected
           -> S1 canceled
        09:32 S4 buy 100 600000.SH @ 9.53
           -> a: submit S4.1 buy 100 @ 9.53
    ";

    the_daily_ceiling_of_messages_is_hard_and_ends_with_the_day: "
        given account a cash 100000 ceiling 1
        09:31 S1 buy 100 600000.SH @ 9.50
           -> S1.1 warned MESSAGE_CEILING
           -> a: submit S1.1 buy 100 @ 9.50
        09:32 S2 buy 100 600000.SH @ 9.50
           -> S2.1 denied MESSAGE_CEILING
           -> S2 denied MESSAGE_CEILING
        09:33 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        Tue 09:31 S3 buy 100 600000.SH @ 9.50
           -> S3.1 warned MESSAGE_CEILING
           -> a: submit S3.1 buy 100 @ 9.50
    ";

    a_target_buys_up_sells_down_and_goes_flat: "
        given paper
        given account a cash 100000 s 600000.SH 500
        09:31 S1 target 800 600000.SH @ 10.00
           -> a: submit S1.1 buy 300 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 300 at 10.00, fee 5.03
           -> S1 done
        09:32 S2 target 800 600000.SH @ 10.00
           -> S2 planned: nothing; residual 0
           -> S2 done
        09:33 S3 target 600 600000.SH @ 10.00
           -> a: submit S3.1 sell 200 @ 10.00
           -> S3.1 accepted
           -> S3.1 filled 200 at 10.00, fee 6.02
           -> S3 done
        09:34 S4 target 0 600000.SH @ 10.00
           -> S4 planned: a sell 300; residual 300
           -> a: submit S4.1 sell 300 @ 10.00
           -> S4.1 accepted
           -> S4.1 filled 300 at 10.00, fee 6.53
           -> S4 done
        Tue 09:31 quote 600000.SH 10.00
        Tue 09:31 S5 target 0 600000.SH @ 10.00
           -> a: submit S5.1 sell 300 @ 10.00
           -> S5.1 accepted
           -> S5.1 filled 300 at 10.00, fee 6.53
           -> S5 done
        Tue 09:31 show a
           -> a: cash 104975.89 reserved 0.00
    ";

    a_target_counts_what_its_orders_will_still_do: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 target 800 600000.SH @ 10.00
           -> a: submit S1.1 buy 300 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 S2 target 800 600000.SH @ 10.00
           -> S2 planned: nothing; residual 0
           -> S2 done
        09:32 S3 target 1000 600000.SH @ 10.00
           -> a: submit S3.1 buy 200 @ 10.00
        09:33 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:34 S4 target 1000 600000.SH @ 10.00
           -> S4 planned: nothing; residual 0
           -> S4 done
        09:34 S5 target 800 600000.SH @ 10.01
           -> a: submit S5.1 sell 200 @ 10.01
    ";

    f60_shares_that_are_being_sold_are_not_sold_again: "
        given account a cash 100000 s 600000.SH 350
        09:31 S1 target 150 600000.SH @ 10.00
           -> a: submit S1.1 sell 200 @ 10.00
        09:31 S2 target 0 600000.SH @ 10.00
           -> a: submit S2.1 sell 150 @ 10.00
    ";

    a_group_shares_by_equity_in_whole_lots_and_states_the_residual: "
        given account a cash 100000
        given account b cash 50000
        given account c cash 20000
        given route s a+b+c x 0.5 by equity
        09:31 S1 buy 3500 600000.SH @ 10.00
           -> S1 planned: a buy 1000, b buy 500, c buy 200; residual 50
           -> a: submit S1.1 buy 1000 @ 10.00
           -> b: submit S1.2 buy 500 @ 10.00
           -> c: submit S1.3 buy 200 @ 10.00
    ";

    legs_below_the_boards_minimum_are_residual: "
        given account a cash 1000000
        given account b cash 100000
        given route s a+b by equity
        09:31 S1 target 150 688981.SH @ 10.00
           -> S1 planned: nothing; residual 150
           -> S1 done
        09:32 S2 buy 1100 688981.SH @ 10.00
           -> S2 planned: a buy 1000; residual 100
           -> a: submit S2.1 buy 1000 @ 10.00
    ";

    an_odd_lot_is_sold_with_everything_or_not_at_all: "
        given account a cash 100000 s 600000.SH 250
        given account b cash 100000 s 600000.SH 130
        given route s a+b
        09:31 S1 sell 150 600000.SH @ 10.00
           -> S1 denied LOT_SIZE
        09:32 S2 sell 380 600000.SH @ 10.00
           -> S2 planned: a sell 250, b sell 130; residual 0
           -> a: submit S2.1 sell 250 @ 10.00
           -> b: submit S2.2 sell 130 @ 10.00
    ";

    a_signal_at_night_waits_for_the_open: "
        given paper
        Mon 20:00 S1 buy 100 600000.SH @ 10.00
           -> S1 waits for session, looks again at 09:30
        Tue 09:29
        Tue 09:30
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
        Tue 09:31 quote 600000.SH 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    a_signal_at_lunch_waits_to_the_afternoon: "
        11:45 S1 buy 100 600000.SH @ 10.00
           -> S1 waits for session, looks again at 13:00
        12:59:59
        13:00
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    an_expired_signal_never_trades: "
        08:00 S1 buy 100 600000.SH @ 10.00 until 09:00
           -> S1 waits for session, looks again at 09:00
        12:00 S2 buy 100 600000.SH @ 10.00 until 13:00
           -> S1 expired
           -> S2 waits for session, looks again at 13:00
        14:00 S3 buy 100 600000.SH @ 10.00 until 13:59
           -> S2 expired
           -> S3 expired
        14:01
    ";

    when_its_time_is_out_the_rest_is_cancelled: "
        09:31 S1 buy 300 600000.SH @ 10.00 until 10:00
           -> a: submit S1.1 buy 300 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        10:00
           -> a: cancel S1.1
        10:00:01 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 partially_done
        10:01 S2 buy 300 600000.SH @ 9.99 until 10:30
           -> a: submit S2.1 buy 300 @ 9.99
        10:01 broker S2.1 accepted
           -> S2.1 accepted
        10:30
           -> a: cancel S2.1
        10:30:01 broker S2.1 canceled
           -> S2.1 canceled
           -> S2 expired
    ";

    f08_an_order_that_waits_in_the_queue_ends_with_its_time_and_is_not_sent_late: "
        given account a cash 100000 in_flight 1
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 buy 200 600000.SH @ 10.00 until 09:40
        09:40
           -> S2.1 never sent
           -> S2 expired
        09:41 broker S1.1 accepted
           -> S1.1 accepted
    ";

    a_paused_strategy_waits_and_goes_on: "
        given paper
        09:31 pause s
        09:32 S1 buy 100 600000.SH @ 10.00
        09:40 start s
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    what_waits_for_the_session_waits_for_a_paused_strategy_too: "
        given paper
        08:00 S1 buy 100 600000.SH @ 10.00
           -> S1 waits for session, looks again at 09:30
        09:00 pause s
        09:30
           -> S1 waits for strategy, looks again at 15:00
        09:40 start s
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";
}
