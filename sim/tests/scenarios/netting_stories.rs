//! Stories of strategies that want the opposite of each other in one account that nets.

use crate::stage::check;

stories! {
    what_two_strategies_want_of_each_other_changes_its_book_and_the_rest_goes_out: "
        given account a cash 100000 t 600000.SH 500
        given route s a
        given route t a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 S1 buy 800 600000.SH @ 10.05 and S2 of t sell 500 600000.SH @ 9.95
           -> S2.1 netted 500 with S1.1 at 10.00
           -> S1.1 netted 500 with S2.1 at 10.00
           -> S2 done
        09:31:01 show a
           -> a: submit S1.1 buy 300 @ 10.05
           -> a: cash 100000.00 reserved 3020.03, s 600000.SH 500 (500 sellable)
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:33 broker S1.1 filled E1 300 at 10.05
           -> S1.1 filled 300 at 10.05, fee 5.03
           -> S1 done
        09:34 show a
           -> a: cash 96979.97 reserved 0.00, s 600000.SH 800 (500 sellable)
        09:34 books a
           -> s 600000.SH 800 since 2025-03-03, cost 10.025 terminal 10.025, high 10.05 low 10.00, realized 0.00, day -20.03
    ";

    what_crosses_a_moment_later_is_denied_where_the_first_has_gone_out: "
        given account a cash 100000 t 600000.SH 500
        given route s a
        given route t a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 S1 buy 500 600000.SH @ 10.05
        09:31:01 S2 of t sell 500 600000.SH @ 9.95
           -> a: submit S1.1 buy 500 @ 10.05
           -> S2.1 denied CROSSING
           -> S2 denied CROSSING
    ";

    several_are_netted_one_after_the_other_and_of_the_last_the_rest_goes_out: "
        given account a cash 100000 t 600000.SH 500 u 600000.SH 300
        given route s a
        given route t a
        given route u a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 S1 of t sell 200 600000.SH @ 9.99 and S2 of u sell 300 600000.SH and S3 of s buy 400 600000.SH
           -> S1.1 netted 200 with S3.1 at 10.00
           -> S3.1 netted 200 with S1.1 at 10.00
           -> S2.1 netted 200 with S3.1 at 10.00
           -> S3.1 netted 200 with S2.1 at 10.00
           -> S3 done
           -> S1 done
        09:31:01 show a
           -> a: submit S2.1 sell 100 market
           -> a: cash 100000.00 reserved 0.00, s 600000.SH 400 (400 sellable), t 600000.SH 300 (300 sellable), u 600000.SH 100 (100 sellable)
    ";

    the_last_price_has_to_suit_both_and_the_rest_has_to_be_an_order: "
        given account a cash 100000 t 600000.SH 550
        given route s a
        given route t a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 quote 600000.SH 10.10
        09:31 S1 buy 500 600000.SH @ 10.05 and S2 of t sell 500 600000.SH @ 9.95
           -> S2.1 denied CROSSING
           -> S2 denied CROSSING
        09:31:01 broker S1.1 accepted
           -> a: submit S1.1 buy 500 @ 10.05
           -> S1.1 accepted
        09:32 cancel S1
           -> a: cancel S1.1
        09:32 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:33 quote 600000.SH 10.00
        09:34 S3 buy 500 600000.SH @ 10.05 and S4 of t sell 550 600000.SH @ 9.95
           -> S4.1 denied CROSSING
           -> S4 denied CROSSING
    ";

    what_was_bought_today_stays_locked_and_what_was_not_does_not: "
        given paper
        given account a cash 100000 t 600000.SH 500
        given route s a
        given route t a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 S1 of t buy 300 600000.SH @ 10.00
        09:32 S2 buy 600 600000.SH and S3 of t sell 600 600000.SH
           -> a: submit S1.1 buy 300 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 300 at 10.00, fee 5.03
           -> S1 done
           -> S3.1 denied SELLABLE
           -> S3 denied SELLABLE
        09:33 S4 buy 500 600000.SH and S5 of t sell 500 600000.SH
           -> a: submit S2.1 buy 600 market
           -> S2.1 accepted
           -> S2.1 filled 600 at 10.00, fee 5.06
           -> S2 done
           -> S5.1 netted 500 with S4.1 at 10.00
           -> S4.1 netted 500 with S5.1 at 10.00
           -> S4 done
           -> S5 done
        09:34 show a
           -> a: cash 90989.91 reserved 0.00, s 600000.SH 1100 (500 sellable), t 600000.SH 300 (0 sellable)
        09:35 S6 sell 500 600000.SH and S7 of t buy 200 600000.SH
           -> S6.1 netted 200 with S7.1 at 10.00
           -> S7.1 netted 200 with S6.1 at 10.00
           -> S7 done
        09:36 show a
           -> a: submit S6.1 sell 300 market
           -> S6.1 accepted
           -> S6.1 filled 300 at 10.00, fee 6.53
           -> S6 done
           -> a: cash 93983.38 reserved 0.00, s 600000.SH 600 (0 sellable), t 600000.SH 500 (200 sellable)
        09:37 S8 of t sell 300 600000.SH
           -> S8.1 denied SELLABLE
           -> S8 denied SELLABLE
        09:38 show a
           -> a: cash 93983.38 reserved 0.00, s 600000.SH 600 (0 sellable), t 600000.SH 500 (200 sellable)
    ";

    a_restart_in_the_moment_loses_no_side: "
        given account a cash 100000 t 600000.SH 500
        given route s a
        given route t a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 S1 buy 500 600000.SH @ 10.05
        09:31 restart
        09:31 S2 of t sell 300 600000.SH @ 9.95
           -> S2.1 netted 300 with S1.1 at 10.00
           -> S1.1 netted 300 with S2.1 at 10.00
           -> S2 done
        09:31 restart
        09:31:01 show a
           -> a: submit S1.1 buy 200 @ 10.05
           -> a: cash 100000.00 reserved 2015.02, s 600000.SH 300 (300 sellable), t 600000.SH 200 (200 sellable)
    ";

    before_the_market_trades_nothing_is_crossed_inside: "
        given account a cash 100000 t 600000.SH 500
        given route s a
        given route t a
        09:10 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:20 S1 buy 500 600000.SH @ 10.05 auction
           -> a: submit S1.1 buy 500 @ 10.05
        09:20 S2 of t sell 500 600000.SH @ 9.95 auction
           -> S2.1 denied CROSSING
           -> S2.1 ends: denied
           -> S2 denied CROSSING
    ";

    a_persons_order_and_a_strategys_own_other_side_are_not_netted: "
        given account a cash 100000 s 600000.SH 500
        given route s a
        09:30 limits account:a crossing net
           -> limits 1 of account:a; looser crossing
        09:31 S1 buy 500 600000.SH @ 10.05 and S2 sell 500 600000.SH @ 9.95
           -> S1.1 denied CROSSING
           -> S1 denied CROSSING
        09:31:01 broker S2.1 accepted
           -> a: submit S2.1 sell 500 @ 9.95
           -> S2.1 accepted
        09:32 broker S2.1 canceled
           -> S2.1 canceled
           -> S2 canceled
        09:33 S3 buy 200 600000.SH @ 10.05
        09:33 S4 sell 500 600000.SH @ 9.95 in a
           -> S4.1 denied CROSSING
           -> S4 denied CROSSING
    ";
}
