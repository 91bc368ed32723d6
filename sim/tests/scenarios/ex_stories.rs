//! Stories of shares that go ex: what comes into the books, and that no price of before is held against one of after.

use crate::stage::check;

stories! {
    whoever_held_it_at_the_close_before_has_the_shares_and_the_money_and_no_profit_jumps: "
        given stale quotes
        given ex 600000.SH 2025-03-04 cash 1.6 bonus 3
        given account a cash 100000 s 600000.SH 1000 EXTERNAL 600000.SH 5
        14:50 quote 600000.SH 13.00
        15:00 quote 600000.SH 12.80
        15:00 books a
           -> EXTERNAL 600000.SH 5 since -, cost 10.00 terminal 10.00, high 13.00 low 10.00, realized 0.00, day 14.00
           -> s 600000.SH 1000 since -, cost 10.00 terminal 10.00, high 13.00 low 10.00, realized 0.00, day 2800.00
        15:31
           -> a: 1005 of 600000.SH went ex 2025-03-04: EXTERNAL 1 shares and 0.80, s 300 shares and 160.00
        15:32 restart
        15:32 show a
           -> a: cash 100160.80 reserved 0.00, EXTERNAL 600000.SH 6 (6 sellable), s 600000.SH 1300 (1300 sellable)
        Tue 09:31 quote 600000.SH 9.72 prev 9.72
        Tue 09:31 books a
           -> EXTERNAL 600000.SH 6 since -, cost 8.20 terminal 8.20, high 9.8769 low 7.5692, realized 0.00, day 0.00
           -> s 600000.SH 1300 since -, cost 7.5692 terminal 7.5692, high 9.8769 low 7.5692, realized 0.00, day 0.00
        Wed 16:00 restart
        Thu 09:31 show a
           -> a: cash 100160.80 reserved 0.00, EXTERNAL 600000.SH 6 (6 sellable), s 600000.SH 1300 (1300 sellable)
    ";

    what_is_bought_on_the_ex_date_is_bought_without_it: "
        given paper
        given stale quotes
        given ex 600000.SH 2025-03-04 bonus 10
        Tue 09:31 quote 600000.SH 5.00 prev 5.00
        Tue 09:31 S1 buy 200 600000.SH @ 5.00
           -> a: submit S1.1 buy 200 @ 5.00
           -> S1.1 accepted
           -> S1.1 filled 200 at 5.00, fee 5.01
           -> S1 done
        Wed 09:31 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 200 (200 sellable)
    ";

    a_stop_that_is_held_is_no_lower_and_no_higher_after_it: "
        given stale quotes
        given ex 600000.SH 2025-03-04 transfer 10
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH @ 9.75 stop 9.80 until Tue,15:00
           -> S1 waits for trigger, looks again at 15:00
        15:31
           -> a: 500 of 600000.SH went ex 2025-03-04: s 500 shares and 0.00
        Tue 09:31 restart
        Tue 09:32 quote 600000.SH 4.91 prev 5.00
        Tue 09:33 quote 600000.SH 4.90
           -> S1 comes true: stop at 4.90
           -> a: submit S1.1 sell 500 @ 4.88
    ";

    a_limit_that_is_placed_anew_each_day_is_one_of_the_day: "
        given stale quotes
        given ex 600000.SH 2025-03-04 cash 1 transfer 10
        09:31 quote 600000.SH 10.00 prev 10.00
        09:31 S1 buy 100 600000.SH @ 9.51 renew until Tue,14:00
           -> a: submit S1.1 buy 100 @ 9.51
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        15:01 broker S1.1 expired
           -> S1.1 expired
        Tue 09:29 quote 600000.SH 5.00 prev 4.95
        Tue 09:30
           -> a: submit S1.1#2 buy 100 @ 4.70
    ";

    a_trail_goes_on_from_the_best_of_before: "
        given stale quotes
        given ex 600000.SH 2025-03-04 cash 2 bonus 10
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 500 600000.SH market trail 0.40 until Tue,15:00
           -> S1 waits for trigger, looks again at 15:00
        14:50:00 quote 600000.SH 10.20
           -> S1 hangs on 10.20
        15:31
           -> a: 500 of 600000.SH went ex 2025-03-04: s 500 shares and 100.00
        Tue 09:31 quote 600000.SH 4.95 prev 5.00
        Tue 09:32 quote 600000.SH 4.81
        Tue 09:33 quote 600000.SH 4.80
           -> S1 comes true: trailing at 4.80
           -> a: submit S1.1 sell 500 market
    ";

    what_a_bracket_bought_goes_out_with_what_it_has_brought: "
        given stale quotes
        given ex 600000.SH 2025-03-05 bonus 5
        09:31 quote 600000.SH 10.00 prev 10.00
        09:31 S1 buy 200 600000.SH @ 10.00 out_stop 9.00
           -> a: submit S1.1 buy 200 @ 10.00
        09:31 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 waits for trigger, looks again at 09:31
        Tue 15:31
           -> a: 200 of 600000.SH went ex 2025-03-05: s 100 shares and 0.00
        Wed 09:31 quote 600000.SH 6.10 prev 6.67
        Wed 09:32 quote 600000.SH 6.00
           -> S1 comes true: stop at 6.00
           -> S1 goes out: a sell 300
           -> a: submit S1.2 sell 300 market
    ";

    a_monitor_hangs_on_the_best_of_before_in_prices_of_after: "
        given stale quotes
        given ex 600000.SH 2025-03-04 cash 1.6 bonus 3
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a trailing_stop 0.02 stop_loss 0.1
           -> limits 1 of account:a
        14:50 quote 600000.SH 10.90
        14:55 quote 600000.SH 10.80
        14:55 monitors
           -> s 600000.SH stop_loss at 9.00 armed
           -> s 600000.SH trailing_stop at 10.682 armed
        15:31
           -> a: 500 of 600000.SH went ex 2025-03-04: s 150 shares and 80.00
        Tue 09:31 quote 600000.SH 8.15 prev 8.18
        Tue 09:31 monitors
           -> s 600000.SH stop_loss at 6.8123 armed
           -> s 600000.SH trailing_stop at 8.0962 armed
        Tue 09:32 quote 600000.SH 8.09
           -> S901 of s: sell 600000.SH, trailing_stop at 8.0962: last 8.09
           -> a: submit S901.1 sell 650 market
    ";
}
