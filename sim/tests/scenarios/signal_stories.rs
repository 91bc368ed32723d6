//! What signals ask for: sizes, splits, and what people have a say in.

use crate::stage::check;

stories! {
    a_sum_of_money_buys_the_whole_lots_that_it_pays_for: "
        given account a cash 200000
        09:31 S1 buy ¥25000 600000.SH @ 10.00
           -> a: submit S1.1 buy 2500 @ 10.00
        09:31 S2 buy ¥25999 600000.SH @ 10.00
           -> S2 planned: a buy 2500; residual 99
           -> S2.1 warned POSITION
           -> a: submit S2.1 buy 2500 @ 10.00
        09:31 S3 buy ¥999 600000.SH @ 10.00
           -> S3 planned: nothing; residual 99
           -> S3 done
    ";

    a_percentage_is_of_the_routes_capital_base: "
        given account a cash 100000
        given account b cash 100000
        given route s a base equity:0.5
        given route t b base fixed:40000
        09:31 S1 buy 25% 600000.SH @ 10.00
           -> S1 planned: a buy 1200; residual 50
           -> a: submit S1.1 buy 1200 @ 10.00
        09:31 S2 of t buy 25% 600000.SH @ 10.00
           -> b: submit S2.1 buy 1000 @ 10.00
    ";

    a_percentage_without_a_capital_base_is_denied_and_flat_needs_none: "
        given account a cash 100000 s 600000.SH 300
        09:31 S1 buy 25% 600000.SH @ 10.00
           -> S1 denied CAPITAL_BASE
        09:31 S2 target 25% 600000.SH @ 10.00
           -> S2 denied CAPITAL_BASE
        09:32 S3 target 0% 600000.SH @ 10.00
           -> a: submit S3.1 sell 300 @ 10.00
    ";

    a_book_that_is_empty_is_no_capital_base: "
        given account a cash 100000 t 600000.SH 1000
        given route s a base book
        given route t a base book
        09:31 S1 buy 50% 600000.SH @ 10.00
           -> S1 denied CAPITAL_BASE
        09:31 S2 of t buy 50% 600000.SH @ 10.00
           -> a: submit S2.1 buy 500 @ 10.00
    ";

    what_opens_only_when_flat_is_denied_while_some_is_held_or_about_to_be: "
        given paper
        given account a cash 100000
        given account b cash 100000 t 600000.SH 500
        given route s a
        given route s b
        09:31 quote 600000.SH 9.90 / 9.91
        09:31 S1 buy 200 600000.SH @ 9.80 if_flat
           -> S1 planned: a buy 200, b buy 200; residual 0
           -> a: submit S1.1 buy 200 @ 9.80
           -> b: submit S1.2 buy 200 @ 9.80
           -> S1.1 accepted
           -> S1.2 accepted
        09:32 S2 buy 100 600000.SH @ 9.80 if_flat
           -> S2 denied NOT_FLAT
        09:32 cancel S1.2
           -> b: cancel S1.2
           -> S1.2 canceled
        09:33 quote 600000.SH 9.79 / 9.80
           -> S1.1 filled 200 at 9.80, fee 5.02
           -> S1 partially_done
        09:34 S3 buy 100 600000.SH @ 9.70 if_flat
           -> S3 denied NOT_FLAT
        09:35 S4 buy 100 000001.SZ @ 9.90 if_flat
           -> S4 planned: a buy 100, b buy 100; residual 0
           -> a: submit S4.1 buy 100 @ 9.90
           -> b: submit S4.2 buy 100 @ 9.90
           -> S4.1 accepted
           -> S4.2 accepted
    ";

    a_short_position_is_not_flat_and_what_closes_it_opens_nothing: "
        given paper
        given account f cash 1000000
        given route s f
        Tue 09:31 quote rb2505.SHFE 3300 / 3301
        Tue 09:31 S1 sell 2 rb2505.SHFE @ 3300 if_flat
           -> f: submit S1.1 sell open 2 @ 3300.00
           -> S1.1 accepted
           -> S1.1 filled 2 at 3300.00, fee 6.60
           -> S1 done
        Tue 09:32 S2 sell 2 rb2505.SHFE @ 3300 if_flat
           -> S2 denied NOT_FLAT
        Tue 09:33 S3 buy 2 rb2505.SHFE @ 3301
           -> f: submit S3.1 buy close_today 2 @ 3301.00
           -> S3.1 accepted
           -> S3.1 filled 2 at 3300.00, fee 6.60
           -> S3 done
        Tue 09:34 S4 sell 2 rb2505.SHFE @ 3310 if_flat
           -> f: submit S4.1 sell open 2 @ 3310.00
           -> S4.1 accepted
        Tue 09:35 S5 buy 1 rb2505.SHFE @ 3290 if_flat
           -> S5 denied NOT_FLAT
    ";

    a_part_of_the_position_is_of_the_strategys_own_book: "
        given account a cash 100000 s 600000.SH 1000 t 600000.SH 5000
        09:31 S1 sell 25% 600000.SH @ 10.00
           -> S1 planned: a sell 200; residual 50
           -> a: submit S1.1 sell 200 @ 10.00
    ";

    all_is_what_may_be_sold_and_is_not_being_sold_and_the_odd_lot_goes_with_it: "
        given paper
        given account a cash 100000 s 600000.SH 350
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
        09:32 S2 sell 100 600000.SH @ 10.50
           -> a: submit S2.1 sell 100 @ 10.50
           -> S2.1 accepted
        09:33 S3 sell all 600000.SH @ 10.60
           -> S3 planned: a sell 250; residual 100
           -> a: submit S3.1 sell 250 @ 10.60
           -> S3.1 accepted
        09:34 S4 sell all 600000.SH @ 10.60
           -> S4 planned: nothing; residual 100
           -> S4 done
    ";

    a_target_in_money_trades_the_difference_at_the_last_price: "
        given account a cash 100000 s 600000.SH 1000
        given route s a base equity
        09:31 S1 target ¥15000 600000.SH @ 10.10
           -> a: submit S1.1 buy 500 @ 10.10
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        09:31 S2 target ¥15000 600000.SH @ 10.10
           -> S2 planned: nothing; residual 0
           -> S2 done
        09:31 broker S1.1 filled E1 500 at 10.10
           -> S1.1 filled 500 at 10.10, fee 5.05
           -> S1 done
        09:32 S3 target 10% 600000.SH @ 10.00
           -> S3 planned: a sell 400; residual 1
           -> a: submit S3.1 sell 400 @ 10.00
    ";

    equal_parts_go_by_the_lot_and_who_opted_out_gets_none: "
        given account a cash 100000
        given account b cash 100000
        given account c cash 100000
        given account d cash 100000
        given route s a+b+c+d by equal except d
        09:31 S1 buy 1000 600000.SH @ 10.00
           -> S1 planned: a buy 400, b buy 300, c buy 300; residual 0
           -> a: submit S1.1 buy 400 @ 10.00
           -> b: submit S1.2 buy 300 @ 10.00
           -> c: submit S1.3 buy 300 @ 10.00
    ";

    cash_that_a_live_order_set_aside_is_not_available_to_the_next: "
        given account a cash 100000
        given account b cash 20000
        given route s a
        given route t a+b by cash
        09:31 S1 buy 2000 600000.SH @ 10.00
           -> S1.1 warned ORDER_VALUE
           -> a: submit S1.1 buy 2000 @ 10.00
        09:31 S2 of t buy 1000 000001.SZ @ 10.00
           -> S2 planned: a buy 800, b buy 200; residual 0
           -> a: submit S2.1 buy 800 @ 10.00
           -> b: submit S2.2 buy 200 @ 10.00
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 2000 at 10.00
           -> S1.1 filled 2000 at 10.00, fee 5.20
           -> S1 done
        09:33 S3 of t sell 100 600000.SH @ 10.00
           -> S3.1 denied SELLABLE
           -> S3 denied SELLABLE
    ";

    a_target_sells_the_odd_remainder_as_a_whole_alone_or_with_lots: "
        given account a cash 100000 s 600000.SH 5050
        given account b cash 100000 t 600000.SH 5050
        given account c cash 100000 u 600000.SH 5050
        given route s a
        given route t b
        given route u c base fixed:100000
        09:31 S1 target 5000 600000.SH @ 10.00
           -> a: submit S1.1 sell 50 @ 10.00
        09:31 S2 of t target 4900 600000.SH @ 10.00
           -> b: submit S2.1 sell 150 @ 10.00
        09:31 S3 of u target 50% 600000.SH @ 10.00
           -> c: submit S3.1 sell 50 @ 10.00
        09:32 S4 target 4970 600000.SH @ 10.00
           -> S4 planned: nothing; residual 30
           -> S4 done
        09:33 S5 of t target ¥48800 600000.SH @ 10.00
           -> S5 planned: nothing; residual 20
           -> S5 done
    ";

    a_target_leaves_what_was_bought_today_and_splits_no_odd_remainder: "
        given account a cash 100000 s 600000.SH 1050
        given paper
        09:31 S1 buy 100 600000.SH @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 100 at 10.00, fee 5.01
           -> S1 done
        09:32 S2 target 1120 600000.SH @ 10.50
           -> S2 planned: nothing; residual 30
           -> S2 done
        09:33 S3 target 20 600000.SH @ 10.50
           -> S3 planned: a sell 1050; residual 80
           -> a: submit S3.1 sell 1050 @ 10.50
           -> S3.1 accepted
    ";

    on_star_a_target_sells_200_at_least_or_all_that_is_left: "
        given account a cash 100000 s 688981.SH 250 t 688981.SH 150
        given route s a
        given route t a
        09:31 S1 target 200 688981.SH @ 10.00
           -> S1 planned: nothing; residual 50
           -> S1 done
        09:32 S2 target 40 688981.SH @ 10.00
           -> a: submit S2.1 sell 210 @ 10.00
        09:33 S3 of t target 100 688981.SH @ 10.00
           -> S3 planned: nothing; residual 50
           -> S3 done
        09:34 S4 of t target 0 688981.SH @ 10.00
           -> a: submit S4.1 sell 150 @ 10.00
    ";

    a_target_of_several_accounts_sells_an_odd_remainder_where_there_is_one: "
        given account a cash 100000 s 600000.SH 3000
        given account b cash 100000 s 600000.SH 5050
        given route s a+b by cash
        09:31 S1 target 8000 600000.SH @ 10.00
           -> b: submit S1.1 sell 50 @ 10.00
    ";
}
