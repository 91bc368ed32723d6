//! Stories of what happens between an account and its broker.

use crate::stage::check;

stories! {
    a_waiting_signal_can_be_cancelled: "
        08:00 S1 buy 100 600000.SH @ 10.00
           -> S1 waits for session, looks again at 09:30
        08:30 cancel S1
           -> S1 canceled
        09:30
    ";

    an_order_that_waits_behind_others_is_cancelled_without_being_sent: "
        given account a cash 100000 in_flight 1
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 buy 200 600000.SH @ 10.00
        09:31 S3 buy 300 600000.SH @ 10.00
        09:32 cancel S3
           -> S3.1 never sent
           -> S3 canceled
        09:33 broker S1.1 accepted
           -> S1.1 accepted
           -> a: submit S2.1 buy 200 @ 10.00
    ";

    a_cancel_of_an_order_on_its_way_goes_out_with_the_answer: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 cancel S1
        09:32 broker S1.1 accepted
           -> S1.1 accepted
           -> a: cancel S1.1
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
    ";

    a_cancel_whose_answer_is_lost_is_sent_again_when_the_order_still_works: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
        09:32:30 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:32:31 broker S1.1 accepted
           -> a: cancel S1.1
        09:32:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:32:32 show a
           -> a: cash 100000.00 reserved 0.00
    ";

    a_cancel_that_is_never_answered_is_sent_again_ever_more_slowly_and_is_a_persons_in_the_end: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00 cancel S1
           -> a: cancel S1.1
        09:32:01 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:32:01 broker S1.1 accepted
           -> a: cancel S1.1
        09:32:02 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:32:02 broker S1.1 accepted
        09:32:03
           -> a: find S1.1
        09:32:03 broker S1.1 accepted
           -> a: cancel S1.1
        09:32:04 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:32:04 broker S1.1 accepted
        09:32:06
        09:34:02
           -> a: find S1.1
        09:34:02 broker S1.1 accepted
           -> S1.1 parked: cancel_unanswered
           -> alarm: S1.1 is parked
        09:35:00 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
    ";

    a_fill_that_is_reported_twice_counts_once: "
        09:31 S1 buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32 broker S1.1 filled E1 100 at 10.00
        09:33 broker S1.1 filled E2 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 0.01
           -> S1 done
        09:33 broker S1.1 filled E1 100 at 10.00
        09:33 show a
           -> a: cash 97994.98 reserved 0.00, s 600000.SH 200 (0 sellable)
    ";

    f26_a_fill_that_comes_after_the_cancel_is_booked_and_revives_nothing: "
        09:31 S1 buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:33 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 partially_done
        09:33 broker S1.1 canceled
        09:33 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    a_fill_of_an_order_that_was_never_sent_is_not_booked: "
        given account a cash 100000 in_flight 1
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 S2 buy 200 600000.SH @ 10.00
        09:32 broker S2.1 filled E1 200 at 10.00
           -> alarm: unexplained report of S2.1
        09:32 show a
           -> a: cash 100000.00 reserved 3010.03
    ";

    f25_a_cancel_is_refused_because_the_order_was_filled: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
        09:32 broker S1.1 cancel rejected
           -> S1.1 cannot be canceled: too late
        09:32 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    more_than_was_ordered_is_booked_and_raises_an_alarm: "
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 done
           -> alarm: S1.1 is filled beyond its quantity
        09:32 show a
           -> a: cash 97994.98 reserved 0.00, s 600000.SH 200 (0 sellable)
    ";

    a_person_sells_what_the_books_hold_unclaimed_shares_first_and_none_of_today: "
        given paper
        given account a cash 100000 s 600000.SH 300 t 600000.SH 300 EXTERNAL 600000.SH 100
        given route s a
        given route t a
        09:31 S1 of s buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 done
        09:32 S2 by hand in a sell 800 600000.SH @ 10.00
           -> S2.1 denied SELLABLE
           -> S2 denied SELLABLE
        09:33 S3 by hand in a sell 600 600000.SH @ 10.00
           -> a: submit S3.1 sell 600 @ 10.00
           -> S3.1 accepted
           -> S3.1 filled 600 at 10.00, fee 8.06
           -> S3 done
        09:33 show a
           -> a: cash 103986.92 reserved 0.00, s 600000.SH 200 (0 sellable), t 600000.SH 100 (100 sellable)
        Tue 09:31 show a
           -> a: cash 103986.92 reserved 0.00, s 600000.SH 200 (200 sellable), t 600000.SH 100 (100 sellable)
    ";

    what_an_immediate_order_cannot_have_at_once_is_gone: "
        given paper
        09:31 quote 600000.SH 10.00
        09:31 S1 buy 100 600000.SH @ 9.90 ioc
           -> a: submit S1.1 buy 100 @ 9.90 ioc
           -> S1.1 accepted
           -> S1.1 canceled
           -> S1 canceled
        09:31 S2 buy 100 600000.SH @ 10.10 ioc
           -> a: submit S2.1 buy 100 @ 10.10 ioc
           -> S2.1 accepted
           -> S2.1 filled 100 at 10.00, fee 5.01
           -> S2 done
        09:31 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    the_minimum_commission_is_paid_once_per_order_and_every_fee_is_exact_to_the_cent: "
        given account a cash 100000 s 600000.SH 5000
        09:31 S1 buy 2000 000001.SZ @ 10.00
           -> a: submit S1.1 buy 2000 @ 10.00
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32 broker S1.1 filled E2 900 at 10.00
           -> S1.1 filled 900 at 10.00, fee 0.09
        09:32 broker S1.1 filled E3 1000 at 9.99
           -> S1.1 filled 1000 at 9.99, fee 0.10
           -> S1 done
        09:32 show a
           -> a: cash 80004.80 reserved 0.00, s 000001.SZ 2000 (0 sellable), s 600000.SH 5000 (5000 sellable)
        09:33 S2 sell 5000 600000.SH @ 10.00
           -> a: submit S2.1 sell 5000 @ 10.00
        09:33 broker S2.1 filled E4 100 at 10.01
           -> S2.1 filled 100 at 10.01, fee 5.51
        09:33 broker S2.1 filled E5 4900 at 10.01
           -> S2.1 filled 4900 at 10.01, fee 32.53
           -> S2 done
        09:33 show a
           -> a: cash 130016.76 reserved 0.00, s 000001.SZ 2000 (0 sellable)
    ";

    a_market_order_reserves_up_to_the_days_limit: "
        given paper
        09:31 quote 600000.SH 10.00
        09:31 hold journal
        09:31 S1 buy 100 600000.SH market
        09:31 show a
           -> a: cash 100000.00 reserved 1105.01
        09:32 release journal
           -> a: submit S1.1 buy 100 market
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
        09:32 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    a_day_order_ends_with_its_day: "
        given paper
        09:31 S1 buy 100 600000.SH @ 9.50
           -> a: submit S1.1 buy 100 @ 9.50
           -> S1.1 accepted
        15:01 show a
           -> S1.1 expired
           -> S1 expired
           -> a: cash 100000.00 reserved 0.00
    ";

    orders_leave_at_the_accounts_pace: "
        given account a cash 100000 pace 1
        09:31:00 S1 buy 100 600000.SH @ 9.50
           -> a: submit S1.1 buy 100 @ 9.50
        09:31:00 S2 buy 100 600000.SH @ 9.51
        09:31:00 S3 buy 100 600000.SH @ 9.52
        09:31:01 show a
           -> a: cash 100000.00 reserved 2868.03
        09:31:03
           -> a: submit S2.1 buy 100 @ 9.51
           -> a: submit S3.1 buy 100 @ 9.52
    ";

    an_account_that_waits_for_an_answer_needs_no_timer: "
        given account a cash 100000 pace 1 in_flight 1
        09:31:00 S1 buy 100 600000.SH @ 9.50
           -> a: submit S1.1 buy 100 @ 9.50
        09:31:00 S2 buy 100 600000.SH @ 9.51
        09:31:05
        09:31:06 broker S1.1 accepted
           -> S1.1 accepted
           -> a: submit S2.1 buy 100 @ 9.51
    ";
}
