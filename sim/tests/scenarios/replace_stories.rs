//! Orders that a person wants at another limit, or for less.

use crate::stage::check;

stories! {
    a_replaced_order_is_taken_back_and_what_is_left_follows_at_the_new_limit: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:10 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32:00 replace S1.1 @ 10.05
           -> S1.1 shall be 500 @ 10.05
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:01 broker S1.1 filled E2 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 0.02
        09:32:02 broker S1.1 canceled
           -> S1.1 canceled
        09:32:11
        09:32:12
           -> a: submit S1.1#2 buy 200 @ 10.05
        09:32:12 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:32:20 broker S1.1#2 filled E3 200 at 10.04
           -> S1.1#2 filled 200 at 10.04, fee 5.02
           -> S1 done
    ";

    a_replacement_may_ask_for_less_and_never_for_more: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:10 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32:00 replace S1.1 for 600
           -> refused: 600 is more than 500, which was planned: more is an order of its own
        09:32:00 replace S1.1 for 100
           -> refused: 100 is filled already: cancel the rest
        09:32:00 replace S1.1 for 300
           -> S1.1 shall be 300 @ 10.00
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:00 replace S1.1 for 300
        09:32:02 broker S1.1 canceled
           -> S1.1 canceled
        09:32:12
           -> a: submit S1.1#2 buy 200 @ 10.00
        09:32:12 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:32:20 broker S1.1#2 filled E3 200 at 10.00
           -> S1.1#2 filled 200 at 10.00, fee 5.02
           -> S1 done
    ";

    what_fills_before_it_is_taken_back_needs_no_follower: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00 replace S1.1 @ 10.05 for 400
           -> S1.1 shall be 400 @ 10.05
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:01 broker S1.1 filled E2 500 at 10.00
           -> S1.1 filled 500 at 10.00, fee 5.05
           -> S1 done
        09:32:02 broker S1.1 cancel rejected
        09:33:00 replace S1.1 @ 10.06
           -> refused: the order does not work any more
    ";

    a_doubt_about_the_old_order_stops_the_new_one: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00 replace S1.1 @ 10.05
           -> S1.1 shall be 500 @ 10.05
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:01 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:33:00 replace S1.1 @ 10.06
           -> refused: nobody knows yet what became of the order
    ";

    a_restart_goes_on_with_it: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:10 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32:00 replace S1.1 @ 10.05
           -> S1.1 shall be 500 @ 10.05
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:01 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:32:02 broker S1.1 canceled
           -> S1.1 canceled
        09:32:03 restart
           -> a: find S1.1
        09:32:12
           -> a: submit S1.1#2 buy 400 @ 10.05
        09:32:12 broker S1.1#2 accepted
           -> S1.1#2 accepted
    ";

    what_was_to_be_taken_back_is_taken_back_after_a_crash_that_lost_the_cancel: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00 hold journal
        09:32:00 replace S1.1 @ 10.05
           -> S1.1 shall be 500 @ 10.05
           -> S1.1 is taken back: replaced
        09:32:01 restart keeping 1
           -> a: find S1.1
           -> a: cancel S1.1
        09:32:02 broker S1.1 canceled
           -> S1.1 canceled
        09:32:12
           -> a: submit S1.1#2 buy 500 @ 10.05
    ";

    a_replacement_is_replaced_again_and_the_signal_ends_all: "
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00 replace S1.1 @ 10.05
           -> S1.1 shall be 500 @ 10.05
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:01 replace S1.1 @ 10.06
           -> S1.1 shall be 500 @ 10.06
        09:32:02 broker S1.1 canceled
           -> S1.1 canceled
        09:32:12
           -> a: submit S1.1#2 buy 500 @ 10.06
        09:32:12 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:33:00 replace S1.1#2 @ 10.01
           -> S1.1#2 shall be 500 @ 10.01
           -> S1.1#2 is taken back: replaced
           -> a: cancel S1.1#2
        09:33:01 cancel S1
        09:33:02 broker S1.1#2 canceled
           -> S1.1#2 canceled
           -> S1.1 ends: canceled
           -> S1 canceled
    ";

    what_risk_refuses_of_the_new_order_ends_the_leg: "
        09:30:30 quote 600000.SH 10.00 prev 10.00
        09:31:00 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:10 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32:00 replace S1.1 @ 11.50
           -> S1.1 shall be 500 @ 11.50
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
        09:32:02 broker S1.1 canceled
           -> S1.1 canceled
        09:32:12
           -> S1.1#2 denied PRICE_LIMIT,PRICE_CAGE
           -> S1.1 ends: denied
           -> S1 partially_done
    ";

    what_a_policy_prices_or_the_market_is_not_replaced: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 quote 600000.SH 10.00 bid 9.99 ask 10.01
        09:31:00 S1 sell 500 600000.SH market priced opposite till done every 30
           -> a: submit S1.1 sell 500 @ 9.99
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:01 replace S1.1 @ 9.98
           -> refused: its policy says at which price and how much: cancel the signal, and send another one
        09:31:02 S2 buy 200 000001.SZ market
           -> a: submit S2.1 buy 200 market
        09:31:03 replace S2.1 for 100
           -> refused: an order at the market has no limit
    ";

    in_the_closing_auction_an_order_is_not_replaced_any_more: "
        given paper
        14:50 S1 buy 500 600000.SH @ 9.90
           -> a: submit S1.1 buy 500 @ 9.90
           -> S1.1 accepted
        14:56:29 S2 buy 500 600000.SH @ 9.91
           -> a: submit S2.1 buy 500 @ 9.91
           -> S2.1 accepted
        14:56:29 replace S2.1 @ 9.92
           -> S2.1 shall be 500 @ 9.92
           -> S2.1 is taken back: replaced
           -> a: cancel S2.1
           -> S2.1 canceled
        14:56:39
           -> a: submit S2.1#2 buy 500 @ 9.92
           -> S2.1#2 accepted
        14:56:45 replace S2.1#2 @ 9.93
           -> refused: it is too late to take the order back on its day: it works until the day ends
        14:57:30 replace S1.1 @ 9.95
           -> refused: it is too late to take the order back on its day: it works until the day ends
        14:57:31 replace S1.1 for 300
           -> refused: it is too late to take the order back on its day: it works until the day ends
        15:01
           -> S1.1 expired
           -> S1 expired
           -> S2.1#2 expired
           -> S2.1 ends: expired
           -> S2 expired
    ";

    in_the_opening_auction_it_is_put_off_until_trading_begins: "
        given account a cash 1000000
        given paper
        09:16 S1 buy 500 600000.SH @ 9.90 auction
           -> a: submit S1.1 buy 500 @ 9.90
           -> S1.1 accepted
        09:21 replace S1.1 @ 9.95
           -> S1.1 shall be 500 @ 9.95
           -> put off until 09:30
        09:26 replace S1.1 @ 9.95
           -> put off until 09:30
        09:27 replace S1.1 @ 9.96
           -> S1.1 shall be 500 @ 9.96
           -> put off until 09:30
        09:30
           -> S1.1 is taken back: replaced
           -> a: cancel S1.1
           -> S1.1 canceled
        09:30:10
           -> a: submit S1.1#2 buy 500 @ 9.96
           -> S1.1#2 accepted
    ";

    what_has_no_time_left_after_the_opening_auction_is_not_put_off: "
        given account a cash 1000000
        given paper
        09:16 S1 buy 500 600000.SH @ 9.90 auction until 09:28
           -> a: submit S1.1 buy 500 @ 9.90
           -> S1.1 accepted
        09:21 replace S1.1 @ 9.95
           -> refused: it is too late to take the order back on its day: it works until the day ends
        09:30
           -> S1.1 is taken back: time_out
           -> a: cancel S1.1
           -> S1.1 canceled
           -> S1.1 ends: expired
           -> S1 expired
    ";

    what_is_placed_anew_tomorrow_is_placed_as_it_is_wanted_then: "
        given account a cash 1000000
        given paper
        14:50 S1 buy 500 600000.SH @ 9.90 renew until Tue,14:00
           -> a: submit S1.1 buy 500 @ 9.90
           -> S1.1 accepted
        14:58 replace S1.1 @ 9.95
           -> S1.1 shall be 500 @ 9.95
           -> put off until 09:30
        15:01
           -> S1.1 expired
        Tue 09:30
           -> a: submit S1.1#2 buy 500 @ 9.95
           -> S1.1#2 accepted
    ";
}
