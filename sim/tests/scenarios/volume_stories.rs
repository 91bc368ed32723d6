//! The stories of what an order is beside what others trade, beside what all accounts hold, and beside what was cancelled.

use crate::stage::check;

stories! {
    an_order_is_a_twentieth_of_an_ordinary_day_at_the_most: "
        given daily 600000.SH range 0.20 volume 20000
        given account a cash 1000000 s 600000.SH 5000
        09:31 S1 buy 700 600000.SH @ 10.00
           -> a: submit S1.1 buy 700 @ 10.00
        09:31 S2 buy 1000 600000.SH @ 10.00
           -> S2.1 warned ORDER_VOLUME
           -> a: submit S2.1 buy 1000 @ 10.00
        09:31 S3 buy 1100 600000.SH @ 10.00
           -> S3.1 denied ORDER_VOLUME
           -> S3 denied ORDER_VOLUME
        09:34 S6 sell 5000 600000.SH @ 10.10
           -> a: submit S6.1 sell 5000 @ 10.10
        09:35 limits account:a order_volume 0.10
           -> limits 1 of account:a; looser order_volume
        09:35 S7 buy 1200 600000.SH @ 10.00
           -> a: submit S7.1 buy 1200 @ 10.00
    ";

    a_symbol_without_a_history_is_told_of: "
        given daily 600000.SH range 0.20 volume 20000
        given account a cash 1000000
        09:31 limits account:a order_value_max 11000
           -> limits 1 of account:a
        09:31 S1 buy 800 000001.SZ @ 10.00
           -> S1.1 warned ORDER_VOLUME
           -> a: submit S1.1 buy 800 @ 10.00
        09:32 S2 buy 1100 000001.SZ @ 10.01
           -> S2.1 denied ORDER_VALUE
           -> S2 denied ORDER_VALUE
    ";

    without_any_volumes_nothing_is_said: "
        given account a cash 1000000
        09:31 S1 buy 1100 000001.SZ @ 10.00
           -> a: submit S1.1 buy 1100 @ 10.00
    ";

    all_accounts_together_hold_a_part_at_the_most: "
        given account a cash 50000
        given account b cash 50000
        given route s a
        given route t b
        09:31 limits global concentration 0.20
           -> limits 1 of global
        09:31 quote 600000.SH 10.00
        09:31 S1 of s buy 1000 600000.SH @ 10.00
           -> S1.1 warned ORDER_VALUE
           -> a: submit S1.1 buy 1000 @ 10.00
        09:32 S2 of t buy 1100 600000.SH @ 10.00
           -> S2.1 denied CONCENTRATION
           -> S2 denied CONCENTRATION
        09:32 S3 of t buy 1000 600000.SH @ 10.00
           -> S3.1 warned ORDER_VALUE
           -> S3.1 warned CONCENTRATION
           -> b: submit S3.1 buy 1000 @ 10.00
        09:33 S4 of t buy 100 600000.SH @ 10.00
           -> S4.1 denied CONCENTRATION
           -> S4 denied CONCENTRATION
        09:34 restart
           -> S1.1 in doubt
           -> S3.1 in doubt
           -> alarm: S1.1 is in doubt
           -> alarm: S3.1 is in doubt
           -> a: find S1.1
           -> b: find S3.1
        09:35 S5 of t buy 100 600000.SH @ 10.00
           -> S5.1 denied CONCENTRATION
           -> S5 denied CONCENTRATION
        09:36 quote 600000.SH 10.00
        09:36 S6 of t buy 100 600000.SH @ 10.00
           -> S6.1 denied CONCENTRATION
           -> S6 denied CONCENTRATION
    ";

    real_money_trades_on_the_mainland_once_its_report_is_on_file: "
        given account a cash 100000 s 600000.SH 500 live unreported
        given account b cash 100000
        given route s a
        given route t b
        09:31 S1 of s buy 100 600000.SH @ 10.00
           -> S1.1 denied PROGRAM_REPORT
           -> S1 denied PROGRAM_REPORT
        09:32 S2 of s sell 100 600000.SH @ 10.00
           -> S2.1 denied PROGRAM_REPORT
           -> S2 denied PROGRAM_REPORT
        09:32 S3 of t buy 100 600000.SH @ 10.00
           -> b: submit S3.1 buy 100 @ 10.00
        09:33 limits account:a program_report on_file
           -> limits 1 of account:a; looser program_report
        09:33 S4 of s buy 100 600000.SH @ 10.00
           -> a: submit S4.1 buy 100 @ 10.00
        09:34 limits global program_report missing
           -> limits 1 of global
        09:34 S5 of s buy 100 600000.SH @ 9.99
           -> S5.1 denied PROGRAM_REPORT
           -> S5 denied PROGRAM_REPORT
    ";

    who_cancels_too_much_opens_nothing_more: "
        given paper
        given account a cash 100000 s 600000.SH 500
        09:31 limits account:a cancel_ratio 0.50 cancel_ratio_from 4
           -> limits 1 of account:a
        09:31 S1 buy 100 600000.SH @ 9.90
           -> a: submit S1.1 buy 100 @ 9.90
           -> S1.1 accepted
        09:31 S2 buy 100 600000.SH @ 9.90
           -> a: submit S2.1 buy 100 @ 9.90
           -> S2.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
           -> S1.1 canceled
           -> S1 canceled
        09:32 cancel S2
           -> a: cancel S2.1
           -> S2.1 canceled
           -> S2 canceled
        09:33 S3 buy 100 600000.SH @ 9.90
           -> a: submit S3.1 buy 100 @ 9.90
           -> S3.1 accepted
        09:33 cancel S3
           -> a: cancel S3.1
           -> S3.1 canceled
           -> S3 canceled
        09:34 S4 buy 100 600000.SH @ 9.90
           -> a: submit S4.1 buy 100 @ 9.90
           -> S4.1 accepted
        09:35 S5 buy 100 600000.SH @ 9.90
           -> S5.1 denied CANCEL_RATIO
           -> S5 denied CANCEL_RATIO
        09:36 restart
           -> a: find S1.1
           -> a: find S2.1
           -> a: find S3.1
           -> a: find S4.1
        09:37 S6 buy 100 600000.SH @ 9.90
           -> S6.1 denied CANCEL_RATIO
           -> S6 denied CANCEL_RATIO
        09:38 S7 sell 100 600000.SH @ 10.10
           -> a: submit S7.1 sell 100 @ 10.10
           -> S7.1 accepted
        09:38 cancel S4
           -> a: cancel S4.1
           -> S4.1 canceled
           -> S4 canceled
        Tue 09:31 S8 buy 100 600000.SH @ 9.90
           -> S7.1 expired
           -> S7 expired
           -> a: submit S8.1 buy 100 @ 9.90
           -> S8.1 accepted
    ";
}
