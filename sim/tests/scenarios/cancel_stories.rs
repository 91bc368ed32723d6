//! Cancels at times at which the exchange takes none: from 09:20 until trading begins, and in the closing auction.

use crate::stage::check;

stories! {
    nothing_is_taken_back_in_the_closing_auction_and_the_day_ends_the_order: "
        given paper
        14:50 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        14:57:32 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        14:59:59 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        15:01
           -> S1.1 expired
           -> S1 expired
    ";

    until_a_moment_before_the_closing_auction_an_order_is_taken_back: "
        given paper
        14:50 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        14:56:59 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 canceled
           -> S1 canceled
    ";

    in_the_opening_auction_orders_are_taken_back_until_0920_and_from_0930_on: "
        given account a cash 1000000
        given paper
        09:16 S1 buy 100 600000.SH @ 9.90 auction
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        09:16 S2 buy 100 600000.SH @ 9.91 auction
           -> a: submit S2.1 buy 100 @ 9.91
           -> S2.1 accepted
        09:19:59 cancel S2.1
           -> a: cancel S2.1
           -> S2.1 canceled
           -> S2.1 ends: canceled
           -> S2 canceled
        09:21:02 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        09:27 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        09:31 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 canceled
           -> S1.1 ends: canceled
           -> S1 canceled
    ";

    a_signal_that_is_canceled_in_the_opening_auction_is_taken_back_when_trading_begins: "
        given account a cash 1000000
        given paper
        09:16 S1 buy 100 600000.SH @ 9.90 auction
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        09:21 cancel S1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        09:29
        09:30
           -> S1.1 is taken back: canceled
           -> a: cancel S1.1
           -> S1.1 canceled
           -> S1.1 ends: canceled
           -> S1 canceled
    ";

    it_is_asked_back_once_more_and_not_again_and_again: "
        given account a cash 1000000
        09:16 S1 buy 100 600000.SH @ 9.90 auction
           -> a: submit S1.1 buy 100 @ 9.90
        09:16 broker S1.1 accepted
           -> S1.1 accepted
        09:21 cancel S1
           -> a: cancel S1.1
        09:21 broker S1.1 cancel rejected
           -> S1.1 cannot be canceled: too late
        09:25 restart
           -> a: find S1.1
           -> a: cancel S1.1
        09:25 broker S1.1 cancel rejected
           -> S1.1 cannot be canceled: too late
        09:30
           -> S1.1 is taken back: canceled
           -> a: cancel S1.1
        09:30 broker S1.1 cancel rejected
           -> S1.1 cannot be canceled: too late
        10:00
        15:00 broker S1.1 expired
           -> S1.1 expired
           -> S1.1 ends: canceled
           -> S1 expired
    ";

    a_signal_that_is_canceled_in_the_closing_auction_ends_with_its_day: "
        given account a cash 1000000
        given paper
        14:50 S1 buy 100 600000.SH @ 9.90 show 100
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        14:50 S2 buy 100 600000.SH @ 9.90
           -> a: submit S2.1 buy 100 @ 9.90
           -> S2.1 accepted
        14:58 cancel S1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        14:58 cancel S2
           -> a: cancel S2.1
           -> S2.1 cannot be canceled: the exchange takes no cancels at this time
        15:01
           -> S1.1 expired
           -> S1.1 ends: canceled
           -> S1 expired
           -> S2.1 expired
           -> S2 expired
    ";

    all_orders_of_an_account_work_on_in_the_closing_auction_and_none_is_in_doubt: "
        given account a cash 1000000 s 600000.SH 500
        given paper
        14:50 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        14:50 S2 sell 100 600000.SH @ 10.20
           -> a: submit S2.1 sell 100 @ 10.20
           -> S2.1 accepted
        14:58 halt
        14:58 cancel all a
           -> a: cancel S1.1
           -> a: cancel S2.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
           -> S2.1 cannot be canceled: the exchange takes no cancels at this time
        15:01
           -> S1.1 expired
           -> S1 expired
           -> S2.1 expired
           -> S2 expired
    ";

    what_fills_in_the_auction_has_filled_whatever_was_wished: "
        given paper
        14:50 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        14:58 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 cannot be canceled: the exchange takes no cancels at this time
        15:00 quote 600000.SH 9.89
           -> S1.1 filled 100 at 9.90, fee 5.01
           -> S1 done
    ";

    a_fund_without_a_closing_auction_is_taken_back_until_the_end: "
        given paper
        14:50 quote 510300.SH 4.000 prev 4.000
        14:50 S1 buy 100 510300.SH @ 3.990
           -> a: submit S1.1 buy 100 @ 3.99
           -> S1.1 accepted
        14:59 cancel S1.1
           -> a: cancel S1.1
           -> S1.1 canceled
           -> S1 canceled
    ";

    a_cancel_that_is_refused_after_a_restart_leaves_no_doubt: "
        14:50 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
        14:50 broker S1.1 accepted
           -> S1.1 accepted
        14:57:30 cancel S1.1
           -> a: cancel S1.1
        14:57:31 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        14:57:31 broker S1.1 accepted
           -> a: cancel S1.1
        14:57:32 broker S1.1 cancel rejected
           -> S1.1 cannot be canceled: too late
        15:01 broker S1.1 expired
           -> S1.1 expired
           -> S1 expired
    ";
}
