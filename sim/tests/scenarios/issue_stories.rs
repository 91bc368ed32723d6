//! New issues: subscribed to at one price on one day, once, and left alone from then on. The codes are made up.

use crate::stage::check;

stories! {
    in_shanghai_a_subscription_binds_no_cash_stays_all_day_and_ends_with_it: "
        given account a cash 100000
        given issue 787999.SH Mon @ 56.78 unit 500 most 9000
        given paper
        09:31 S1 by hand in a buy 9000 787999.SH @ 56.78
           -> a: submit S1.1 buy 9000 @ 56.78
           -> S1.1 accepted
        09:32 show a
           -> a: cash 100000.00 reserved 0.00
        09:33 quote 787999.SH 50.00 bid 49.00 ask 50.00
        09:34 S2 buy 100 600000.SH @ 9.90
           -> a: submit S2.1 buy 100 @ 9.90
           -> S2.1 accepted
        10:00 cancel S1.1
        10:01 cancel all a
           -> a: cancel S2.1
           -> S2.1 canceled
           -> S2 canceled
        14:59 show a
           -> a: cash 100000.00 reserved 0.00
        15:01
           -> S1.1 expired
           -> S1 expired
    ";

    in_beijing_the_whole_sum_is_set_aside_until_the_day_is_over: "
        given account a cash 100000
        given issue 889999.BJ Mon @ 9.10 unit 100 most 900000
        given paper
        09:31 S1 by hand in a buy 10000 889999.BJ @ 9.10
           -> a: submit S1.1 buy 10000 @ 9.10
           -> S1.1 accepted
        09:32 show a
           -> a: cash 100000.00 reserved 91000.00
        09:33 S2 buy 1000 600000.SH @ 10.00
           -> S2.1 denied CASH
           -> S2 denied CASH
        15:01
           -> S1.1 expired
           -> S1 expired
        15:02 show a
           -> a: cash 100000.00 reserved 0.00
    ";

    beijing_takes_no_more_than_the_cash_pays_for: "
        given account a cash 90999.99
        given issue 920999.BJ Mon @ 9.10 unit 100 most 900000
        09:31 S1 by hand in a buy 10000 920999.BJ @ 9.10
           -> S1.1 denied CASH
           -> S1 denied CASH
    ";

    only_the_first_subscription_of_an_account_counts_also_after_a_restart: "
        given account a cash 1000
        given account b cash 1000
        given issue 732999.SH Mon @ 12.34 unit 500 most 13500
        09:31 S1 by hand in a buy 500 732999.SH @ 12.34
           -> a: submit S1.1 buy 500 @ 12.34
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 S2 by hand in a buy 500 732999.SH @ 12.34
           -> S2.1 denied ALREADY_SUBSCRIBED
           -> S2 denied ALREADY_SUBSCRIBED
        09:33 restart
           -> a: find S1.1
        09:34 S3 by hand in a buy 1000 732999.SH @ 12.34
           -> S3.1 denied ALREADY_SUBSCRIBED
           -> S3 denied ALREADY_SUBSCRIBED
        09:35 cancel S1.1
        09:36 S4 by hand in b buy 13500 732999.SH @ 12.34
           -> b: submit S4.1 buy 13500 @ 12.34
        09:37 broker S1.1 expired
           -> S1.1 expired
           -> S1 expired
        09:38 S5 by hand in a buy 500 732999.SH @ 12.34
           -> S5.1 denied ALREADY_SUBSCRIBED
           -> S5 denied ALREADY_SUBSCRIBED
    ";

    a_subscription_whose_answer_is_lost_is_neither_taken_back_nor_made_again: "
        given account a cash 1000
        given issue 732999.SH Mon @ 12.34 unit 500 most 13500
        09:31 S1 by hand in a buy 500 732999.SH @ 12.34
           -> a: submit S1.1 buy 500 @ 12.34
        09:32 cancel S1.1
        09:33 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:34 S2 by hand in a buy 500 732999.SH @ 12.34
           -> S2.1 denied ALREADY_SUBSCRIBED
           -> S2 denied ALREADY_SUBSCRIBED
        09:35 cancel all a
        09:36 broker S1.1 accepted
           -> S1.1 accepted
    ";

    what_the_exchange_never_had_is_no_subscription: "
        given account a cash 100000 in_flight 1
        given issue 732999.SH Mon @ 12.34 unit 500 most 13500
        09:31 S1 by hand in a buy 500 732999.SH @ 12.34
           -> a: submit S1.1 buy 500 @ 12.34
        09:32 broker S1.1 rejected
           -> S1.1 rejected
           -> S1 canceled
        09:33 S2 buy 100 600000.SH @ 9.90
           -> a: submit S2.1 buy 100 @ 9.90
        09:34 S3 by hand in a buy 500 732999.SH @ 12.34
        09:35 cancel S3.1
           -> S3.1 never sent
           -> S3 canceled
        09:36 restart
           -> S2.1 in doubt
           -> alarm: S2.1 is in doubt
           -> a: find S2.1
        09:36 broker S2.1 accepted
           -> S2.1 accepted
        09:37 S4 by hand in a buy 500 732999.SH @ 12.34
           -> a: submit S4.1 buy 500 @ 12.34
    ";

    a_subscription_is_bought_at_the_issue_price_in_whole_units: "
        given account a cash 1000000
        given issue 787999.SH Mon @ 56.78 unit 500 most 9000
        09:31 S1 by hand in a buy 500 787999.SH @ 56.79
           -> S1.1 denied PRICE_LIMIT
           -> S1 denied PRICE_LIMIT
        09:32 S2 by hand in a buy 500 787999.SH market
           -> S2.1 denied PRICE_LIMIT
           -> S2 denied PRICE_LIMIT
        09:33 S3 by hand in a buy 700 787999.SH @ 56.78
           -> S3.1 denied LOT_SIZE
           -> S3 denied LOT_SIZE
        09:34 S4 by hand in a buy 9500 787999.SH @ 56.78
           -> S4.1 denied LOT_SIZE
           -> S4 denied LOT_SIZE
        09:35 S5 by hand in a sell 500 787999.SH @ 56.78
           -> S5.1 denied SELLABLE
           -> S5 denied SELLABLE
        09:36 S6 buy all_in 787999.SH @ 56.78
           -> S6 denied PERMISSION
        09:37 S7 by hand in a buy 9000 787999.SH @ 56.78
           -> a: submit S7.1 buy 9000 @ 56.78
    ";

    an_issue_is_subscribed_to_on_its_day_only: "
        given account a cash 1000000
        given issue 787999.SH Tue @ 56.78 unit 500 most 9000
        given issue 301999.SZ Tue @ 7.50 unit 500 most 10500
        given paper
        Mon 09:31 S1 by hand in a buy 500 787999.SH @ 56.78
           -> S1 denied SUBSCRIPTION_CLOSED
        Mon 09:32 ask buy 500 301999.SZ @ 7.50
           -> S0.1 denied SUBSCRIPTION_CLOSED
        Mon 15:30 S2 by hand in a buy 500 787999.SH @ 56.78 and S3 by hand in a buy 500 301999.SZ @ 7.50
           -> S2 waits for session, looks again at 09:30
           -> S3 waits for session, looks again at 09:15
        Tue 09:31
           -> a: submit S3.1 buy 500 @ 7.50
           -> S3.1 accepted
           -> a: submit S2.1 buy 500 @ 56.78
           -> S2.1 accepted
        Tue 15:01
           -> S3.1 expired
           -> S3 expired
           -> S2.1 expired
           -> S2 expired
        Wed 09:31 S4 by hand in a buy 500 301999.SZ @ 7.50
           -> S4 denied SUBSCRIPTION_CLOSED
    ";

    a_subscription_takes_its_permission_and_that_of_its_board: "
        given account a cash 1000
        given issue 787999.SH Mon @ 56.78 unit 500 most 9000
        given issue 732999.SH Mon @ 12.34 unit 500 most 13500
        09:30 limits account:a permissions all_in,repo,star
           -> limits 1 of account:a
        09:31 S1 by hand in a buy 500 732999.SH @ 12.34
           -> S1.1 denied PERMISSION
           -> S1 denied PERMISSION
        09:32 limits account:a permissions ipo version 1
           -> limits 2 of account:a; looser permissions
        09:33 S2 by hand in a buy 500 787999.SH @ 56.78
           -> S2.1 denied PERMISSION
           -> S2 denied PERMISSION
        09:34 S3 by hand in a buy 500 732999.SH @ 12.34
           -> a: submit S3.1 buy 500 @ 12.34
    ";

    the_largest_quantity_is_subscribed_to_whatever_the_limits_of_a_purchase_say: "
        given account a cash 100000
        given issue 787999.SH Mon @ 56.78 unit 500 most 9000
        09:30 limits account:a order_value_max 20000 exposure 0.5 concentration 0.2
           -> limits 1 of account:a
        09:31 S1 by hand in a buy 9000 787999.SH @ 56.78
           -> a: submit S1.1 buy 9000 @ 56.78
        09:31 S2 buy 1000 600000.SH @ 10.00
           -> a: submit S2.1 buy 1000 @ 10.00
    ";

    a_signal_whose_time_is_out_leaves_its_subscription: "
        given account a cash 1000
        given issue 787999.SH Mon @ 56.78 unit 500 most 9000
        given paper
        09:31 S1 by hand in a buy 500 787999.SH @ 56.78 until 10:00
           -> a: submit S1.1 buy 500 @ 56.78
           -> S1.1 accepted
        10:01 show a
           -> a: cash 1000.00 reserved 0.00
        15:01
           -> S1.1 expired
           -> S1 expired
    ";
}
