//! Everything at once: buys for all the cash, sales of all that an account has, and cash that is lent overnight.

use crate::stage::check;

stories! {
    all_in_buys_for_all_the_cash_fees_counted_and_knows_no_other_limit: "
        given account a cash 100000
        09:31 S1 buy all_in 600000.SH @ 10.00
           -> a: submit S1.1 buy 9900 @ 10.00
        09:31 show a
           -> a: cash 100000.00 reserved 99025.74
        09:32 S2 buy 9900 000001.SZ @ 10.00
           -> S2.1 denied CASH,ORDER_VALUE,POSITION,NOTIONAL_MINUTE
           -> S2 denied CASH,ORDER_VALUE,POSITION,NOTIONAL_MINUTE
        09:33 S3 buy all_in 000001.SZ @ 10.00
           -> S3 denied CASH
    ";

    at_the_market_all_in_keeps_enough_for_the_highest_price_of_the_day: "
        given account a cash 100000
        given account b cash 100000
        given route s a
        given route t b
        09:31 S1 buy all_in 600000.SH market
           -> a: submit S1.1 buy 9000 market
        09:31 S2 of t buy all_in 600000.SH priced last+2
           -> b: submit S2.1 buy 9900 @ 10.02
    ";

    all_in_takes_a_permission_of_its_own: "
        given account a cash 100000
        09:30 limits account:a permissions chinext,star
           -> limits 1 of account:a
        09:31 S1 buy all_in 600000.SH @ 10.00
           -> S1.1 denied PERMISSION
           -> S1 denied PERMISSION
        09:32 S2 buy 100 600000.SH @ 10.00
           -> a: submit S2.1 buy 100 @ 10.00
    ";

    each_account_goes_all_in_for_its_own_cash_times_the_ratio: "
        given account a cash 100000
        given account b cash 50000
        given account c cash 900
        given route s a+b+c x 0.5
        09:31 S1 buy all_in 600000.SH @ 10.00
           -> S1 planned: a buy 4900, b buy 2400; residual 0
           -> a: submit S1.1 buy 4900 @ 10.00
           -> b: submit S1.2 buy 2400 @ 10.00
    ";

    all_in_waits_for_the_sells_of_its_strategy_and_then_takes_what_they_brought: "
        given account a cash 1000 s 600000.SH 1000
        09:31 S1 buy all_in 000001.SZ @ 10.00 and S2 sell all 600000.SH @ 10.00
           -> S1 waits for cash, looks again at 09:41
           -> a: submit S2.1 sell 1000 @ 10.00
        09:32 broker S2.1 accepted
           -> S2.1 accepted
        09:33 restart
           -> a: find S2.1
        09:34 broker S2.1 filled E1 1000 at 10.00
           -> S2.1 filled 1000 at 10.00, fee 10.10
           -> S2 done
           -> a: submit S1.1 buy 1000 @ 10.00
    ";

    all_in_waits_for_sells_no_longer_than_its_route_says: "
        given account a cash 3000 s 600000.SH 1000
        given route s a short wait:60
        09:31 S1 sell all 600000.SH @ 10.50
           -> a: submit S1.1 sell 1000 @ 10.50
        09:31 S2 buy all_in 000001.SZ @ 10.00
           -> S2 waits for cash, looks again at 09:32
        09:32
           -> a: submit S2.1 buy 200 @ 10.00
        09:33 S3 buy all_in 000001.SZ @ 10.00
           -> S3 waits for cash, looks again at 09:34
        09:33 cancel S3
           -> S3 canceled
        09:33 broker S1.1 rejected
           -> S1.1 rejected
           -> S1 canceled
    ";

    all_in_takes_what_the_others_of_its_step_leave: "
        given account a cash 100000
        09:31 S1 buy all_in 600000.SH @ 10.00 and S2 buy 1000 000001.SZ @ 10.00
           -> a: submit S2.1 buy 1000 @ 10.00
           -> a: submit S1.1 buy 8900 @ 10.00
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 8900 at 10.00
           -> S1.1 filled 8900 at 10.00, fee 23.14
           -> S1 partially_done
    ";

    a_person_sells_all_that_an_account_has_whoever_s_it_is: "
        given account a cash 1000 s 600000.SH 300 t 600000.SH 250
        given route s a
        given route t a
        09:31 S1 sell 100 600000.SH @ 10.50
           -> a: submit S1.1 sell 100 @ 10.50
        09:32 S2 by hand in a sell all 600000.SH @ 10.00
           -> a: submit S2.1 sell 450 @ 10.00
        09:32 broker S2.1 accepted
           -> S2.1 accepted
        09:32 broker S2.1 filled E1 450 at 10.00
           -> S2.1 filled 450 at 10.00, fee 7.30
           -> S2 done
        09:33 show a
           -> a: cash 5492.70 reserved 0.00, t 600000.SH 100 (100 sellable)
        09:34 S3 by hand in a sell all 600000.SH @ 10.00
           -> S3 planned: nothing; residual 0
           -> S3 done
    ";

    what_was_bought_today_stays_when_a_person_sells_all: "
        given account a cash 100000 s 600000.SH 300
        given paper
        09:31 S1 buy 200 600000.SH @ 10.00
           -> a: submit S1.1 buy 200 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1 done
        09:32 S2 by hand in a sell all 600000.SH @ 10.00
           -> S2 planned: a sell 300; residual 200
           -> a: submit S2.1 sell 300 @ 10.00
           -> S2.1 accepted
           -> S2.1 filled 300 at 10.00, fee 6.53
           -> S2 done
        Tue 09:30 quote 600000.SH 10.00
        Tue 09:31 S3 by hand in a sell all 600000.SH @ 10.00
           -> a: submit S3.1 sell 200 @ 10.00
           -> S3.1 accepted
           -> S3.1 filled 200 at 10.00, fee 6.02
           -> S3 done
    ";

    idle_cash_is_lent_overnight_and_comes_back_with_interest: "
        given account a cash 100500
        given paper
        09:30 quote 204001.SH 2.000 bid 2.000 ask 2.005
        09:31 S1 sell all_in 204001.SH @ 2.000
           -> a: submit S1.1 sell 1000 @ 2.00
           -> S1.1 accepted
           -> S1.1 filled 1000 at 2.00, fee 1.00
           -> S1 done
        09:32 show a
           -> a: cash 499.00 reserved 0.00, lent 100000.00 until 2025-03-04
        09:33 S2 sell all_in 204001.SH @ 2.000
           -> S2 denied CASH
        Tue 09:31 show a
           -> a: cash 100504.48 reserved 0.00
        Thu 09:30 quote 204001.SH 2.000 bid 2.000 ask 2.005
        Thu 09:31 S3 sell 100 204001.SH priced opposite
           -> a: submit S3.1 sell 100 @ 2.00
           -> S3.1 accepted
           -> S3.1 filled 100 at 2.00, fee 0.10
           -> S3 done
        Fri 09:31 show a
           -> a: cash 100506.02 reserved 0.00
    ";

    what_is_being_lent_is_set_aside_and_survives_a_restart: "
        given account a cash 50000
        09:30 quote 131810.SZ 1.90 bid 1.90 ask 1.91
        09:31 S1 sell ¥30500 131810.SZ @ 1.90
           -> S1 planned: a sell 300; residual 5
           -> a: submit S1.1 sell 300 @ 1.90
        09:31 show a
           -> a: cash 50000.00 reserved 30000.30
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 100 at 1.95
           -> S1.1 filled 100 at 1.95, fee 0.10
        09:33 restart
           -> a: find S1.1
        09:33 show a
           -> a: cash 39999.90 reserved 20000.20, lent 10000.00 until 2025-03-04
        09:34 broker S1.1 filled E2 200 at 1.90
           -> S1.1 filled 200 at 1.90, fee 0.20
           -> S1 done
        09:35 restart
        Tue 09:31 show a
           -> a: cash 50001.27 reserved 0.00
    ";

    nobody_borrows_by_repo_and_lending_takes_its_permission_and_cash: "
        given account a cash 50000
        09:30 quote 204001.SH 2.000 bid 2.000 ask 2.005
        09:31 S1 buy 10 204001.SH @ 2.005
           -> S1.1 denied PERMISSION
           -> S1 denied PERMISSION
        09:32 S2 target 10 204001.SH @ 2.000
           -> S2 denied PERMISSION
        09:33 S3 sell 1000 204001.SH @ 2.000
           -> S3.1 denied CASH
           -> S3 denied CASH
        09:34 reduce
        09:34 S4 sell 10 204001.SH @ 2.000
           -> S4.1 denied TRADING_STATE
           -> S4 denied TRADING_STATE
        09:35 resume
        09:35 limits account:a permissions all_in
           -> limits 1 of account:a
        09:36 S5 sell 10 204001.SH @ 2.000
           -> S5.1 denied PERMISSION
           -> S5 denied PERMISSION
    ";

    idle_cash_is_lent_once_after_shares_have_closed: "
        given paper
        given account a cash 100000 s 600000.SH 500
        14:58 quote 600000.SH 10.00
        15:05 quote 204001.SH 2.000 bid 2.000 ask 2.005
        15:10 S1 sell 500 204001.SH @ 2.000
           -> a: submit S1.1 sell 500 @ 2.00
           -> S1.1 accepted
           -> S1.1 filled 500 at 2.00, fee 0.50
           -> S1 done
        15:11 S2 sell 100 204001.SH @ 2.500
           -> a: submit S2.1 sell 100 @ 2.50
           -> S2.1 accepted
        15:12 S3 sell all_in 204001.SH @ 2.000
           -> a: submit S3.1 sell 390 @ 2.00
           -> S3.1 accepted
           -> S3.1 filled 390 at 2.00, fee 0.39
           -> S3 done
        15:13 S4 sell all_in 204001.SH @ 2.000
           -> S4 denied CASH
        15:14 S5 sell 100 600000.SH @ 10.00
           -> S5 waits for session, looks again at 09:30
        15:29 show a
           -> a: cash 10999.11 reserved 10000.10, s 600000.SH 500 (500 sellable), lent 50000.00 until 2025-03-04, lent 39000.00 until 2025-03-04
        15:31 show a
           -> S2.1 expired
           -> S2 expired
           -> a: cash 100003.99 reserved 0.00, s 600000.SH 500 (500 sellable)
        15:31 S6 sell 100 204001.SH @ 2.000
           -> S6 waits for session, looks again at 09:30
        Tue 09:30
           -> a: submit S5.1 sell 100 @ 10.00
           -> a: submit S6.1 sell 100 @ 2.00
           -> S5.1 accepted
           -> S6.1 accepted
    ";

    futures_of_treasury_bonds_trade_and_are_settled_a_quarter_after_the_others: "
        given paper
        given account f cash 2000000
        given route s f
        14:58 quote T2506.CFFEX 108.000
        15:05 S1 buy 1 T2506.CFFEX @ 107.900
           -> f: submit S1.1 buy open 1 @ 107.90
           -> S1.1 accepted
        15:10 quote T2506.CFFEX 107.850
           -> S1.1 filled 1 at 107.90, fee 107.90
           -> S1 done
        15:14 quote T2506.CFFEX 107.950
        15:14 show f
           -> f: cash 1999892.10 reserved 0.00, margin 161850.00, s T2506.CFFEX long 0 and 1 today
        15:16 S2 buy 1 T2506.CFFEX @ 107.900
           -> S2 waits for session, looks again at 09:30
        15:31 show f
           -> f: cash 2000392.10 reserved 0.00, margin 161925.00, s T2506.CFFEX long 1 and 0 today
    ";
}
