//! Stories of the books: since when something is held and what it has seen, and whose it is.

use crate::stage::check;

stories! {
    a_book_knows_its_entry_its_extremes_and_both_costs: "
        given paper
        09:31 S1 buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 done
        10:00 quote 600000.SH 10.80
        10:30 quote 600000.SH 9.60
        10:31 quote 600000.SH 10.20
        10:31 books a
           -> s 600000.SH 200 since 2025-03-03, cost 10.0251 terminal 10.0251, high 10.80 low 9.60, realized 0.00, day 34.98
        Tue 09:31 quote 600000.SH 10.50 prev 10.20
        Tue 09:31 books a
           -> s 600000.SH 200 since 2025-03-03, cost 10.0251 terminal 10.0251, high 10.80 low 9.60, realized 0.00, day 60.00
        Tue 09:32 S2 sell 100 600000.SH @ 10.50
           -> a: submit S2.1 sell 100 @ 10.50
           -> S2.1 accepted
           -> S2.1 filled 100 at 10.50, fee 5.54
           -> S2 done
        Tue 09:33 books a
           -> s 600000.SH 100 since 2025-03-03, cost 10.0251 terminal 9.6056, high 10.80 low 9.60, realized 41.95, day 54.46
    ";

    what_the_market_showed_before_the_entry_is_not_in_it_and_a_restart_keeps_what_was: "
        given paper
        09:31 quote 600000.SH 10.90
        09:32 quote 600000.SH 10.00
        09:33 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
        09:40 quote 600000.SH 10.30
        09:41 quote 600000.SH 10.10
        Tue 09:00 restart
        Tue 09:31 books a
           -> s 600000.SH 100 since 2025-03-03, cost 10.0501 terminal 10.0501, high 10.30 low 10.00, realized 0.00, day 10.00
    ";

    holdings_that_were_there_before_are_given_to_strategies_and_the_rest_stays_external: "
        given account a cash 100000 EXTERNAL 600000.SH 1000
        09:31 import s 600000.SH 600 @ 9.50 on 2025-01-15
           -> a: imported s 600000.SH 600 @ 9.50
        09:31 import s 600000.SH 600 @ 9.50 on 2025-01-15
           -> refused: s holds 600000.SH already: an import is the first word about a book, a transfer changes it later
        09:32 books a
           -> EXTERNAL 600000.SH 400 since -, cost 10.00 terminal 10.00, high 10.00 low 10.00, realized 0.00, day 0.00
           -> s 600000.SH 600 since 2025-01-15, cost 9.50 terminal 9.50, high 10.00 low 9.50, realized 0.00, day 0.00
        09:33 S1 sell 600 600000.SH @ 10.00
           -> a: submit S1.1 sell 600 @ 10.00
    ";

    shares_go_from_strategy_to_strategy_with_what_is_remembered_of_them: "
        given account a cash 100000 s 600000.SH 500
        09:31 transfer 200 600000.SH from s to t
           -> a: 200 600000.SH went from s to t, by ann
        09:32 books a
           -> s 600000.SH 300 since -, cost 10.00 terminal 10.00, high 10.00 low 10.00, realized 0.00, day 0.00
           -> t 600000.SH 200 since -, cost 10.00 terminal 10.00, high 10.00 low 10.00, realized 0.00, day 0.00
        09:33 transfer 400 600000.SH from s to t
           -> refused: s can give 300 of 600000.SH, which is less than 400: the rest is not there, or being sold
        09:34 transfer 100 600000.SH from t to t
           -> refused: the two books are one
    ";

    what_an_open_order_sells_cannot_be_given_away: "
        given account a cash 100000 s 600000.SH 500
        09:31 S1 sell 300 600000.SH @ 10.20
           -> a: submit S1.1 sell 300 @ 10.20
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:32 transfer 300 600000.SH from s to t
           -> refused: s can give 200 of 600000.SH, which is less than 300: the rest is not there, or being sold
        09:32 transfer 200 600000.SH from s to t
           -> a: 200 600000.SH went from s to t, by ann
        09:33 broker S1.1 filled E1 300 at 10.20
           -> S1.1 filled 300 at 10.20, fee 6.56
           -> S1 done
        09:33 show a
           -> a: cash 103053.44 reserved 0.00, t 600000.SH 200 (200 sellable)
    ";
}
