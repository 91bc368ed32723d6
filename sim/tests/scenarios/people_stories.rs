//! Who has a say and who comes first: routes that wait for people, tests, buys that wait for cash, baskets.

use crate::stage::check;

stories! {
    a_leg_goes_out_when_its_person_confirms_it_and_not_before: "
        given account a cash 100000
        given account b cash 100000
        given route s a
        given route s b confirm
        09:31 S1 buy 100 600000.SH @ 10.00
           -> S1 planned: a buy 100, b buy 100 waits for confirmation; residual 0
           -> a: submit S1.1 buy 100 @ 10.00
        09:32 confirm S1 in a
           -> nothing of this signal waits for that in the accounts
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:33 restart
        09:33 confirm S1 in b
           -> S1.2 confirmed
           -> b: submit S1.2 buy 100 @ 10.00
        09:34 confirm S1 in b
           -> nothing of this signal waits for that in the accounts
        09:34 broker S1.2 accepted
           -> S1.2 accepted
        09:35 confirm S1 in b
           -> nothing of this signal waits for that in the accounts
        09:35 broker S1.2 filled E2 100 at 10.00
           -> S1.2 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    a_leg_that_nobody_confirms_expires_with_its_signal: "
        given account a cash 100000
        given route s a confirm
        09:31 S1 buy 100 600000.SH @ 10.00 until 10:00
           -> S1 planned: a buy 100 waits for confirmation; residual 0
        09:32 S2 buy 200 600000.SH @ 10.00
           -> S2 planned: a buy 200 waits for confirmation; residual 0
        10:00
           -> S1.1 expired: its time is out
           -> S1 expired
        10:01 confirm S1 in a
           -> nothing of this signal waits for that in the accounts
        12:00 confirm S2 in a
           -> the session is closed: confirm it when the market is open, while the signal is valid
        15:00
           -> S2.1 expired: its time is out
           -> S2 expired
    ";

    a_person_declines_a_leg_and_a_stop_or_a_cancel_lets_none_go: "
        given account a cash 100000
        given route s a confirm
        09:31 S1 buy 100 600000.SH @ 10.00
           -> S1 planned: a buy 100 waits for confirmation; residual 0
        09:32 decline S1 in a
           -> S1.1 canceled: not now
           -> S1 canceled
        09:33 S2 buy 100 600000.SH @ 10.00
           -> S2 planned: a buy 100 waits for confirmation; residual 0
        09:34 stop s
        09:34 confirm S2 in a
           -> the strategy is not active
        09:35 cancel S2
           -> S2.1 canceled: the signal is canceled
           -> S2 canceled
    ";

    what_was_confirmed_is_checked_like_every_order: "
        given account a cash 100000
        given route s a confirm
        09:31 S1 buy 100 600000.SH @ 10.00
           -> S1 planned: a buy 100 waits for confirmation; residual 0
        09:32 halt
        09:33 confirm S1 in a
           -> S1.1 confirmed
           -> S1.1 denied TRADING_STATE
           -> S1 denied TRADING_STATE
    ";

    a_signal_that_is_only_told_is_completed_with_what_was_traded_by_hand: "
        given account a cash 100000
        given route s a notify_only
        09:31 S1 buy 300 600000.SH @ 10.00
           -> S1 planned: a buy 300 waits for hand; residual 0
        09:32 confirm S1 in a
           -> nothing of this signal waits for that in the accounts
        09:33 restart
        09:34 complete S1 in a 400 at 9.98
           -> the signal asks for 300 here, and no more
        09:34 complete S1 in a 300 at 10.01
           -> the signal's limit is 10.00
        09:34 complete S1 in a 200 at 9.98
           -> S1.1 done by hand: 200 at 9.98
           -> S1 partially_done
        09:35 S2 buy 300 600000.SH @ 10.00
           -> S2 planned: a buy 300 waits for hand; residual 0
        09:36 complete S2 in a 300 at 9.98
           -> S2.1 done by hand: 300 at 9.98
           -> S2 done
    ";

    a_shadow_does_everything_but_the_sending: "
        given account a cash 100000
        given account b cash 10000
        given route s a
        given route s b shadow
        given route t a+b by equal shadow
        09:31 S1 buy 1000 600000.SH @ 10.00
           -> S1 planned: a buy 1000, b buy 1000; residual 0
           -> b: shadow S1.2 buy 1000 @ 10.00, denied CASH,ORDER_VALUE,POSITION
           -> a: submit S1.1 buy 1000 @ 10.00
        09:31 show b
           -> b: cash 10000.00 reserved 0.00
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 broker S1.1 filled E1 1000 at 10.00
           -> S1.1 filled 1000 at 10.00, fee 5.10
           -> S1 done
        09:33 S2 of t buy 400 600000.SH @ 10.00
           -> S2 planned: a buy 200, b buy 200; residual 0
           -> a: shadow S2.1 buy 200 @ 10.00
           -> b: shadow S2.2 buy 200 @ 10.00
           -> S2 done
        09:34 restart
        09:34 S3 of t buy 200 600000.SH @ 10.00
           -> S3 planned: a buy 100, b buy 100; residual 0
           -> a: shadow S3.1 buy 100 @ 10.00
           -> b: shadow S3.2 buy 100 @ 10.00
           -> S3 done
    ";

    a_test_trades_on_paper_and_in_the_shadow_and_never_with_real_money: "
        given account a cash 100000
        given account b cash 100000 live
        given account c cash 100000 live
        given route s a+b
        given route t b
        given route t c shadow
        given route u b
        09:31 S1 buy 100 600000.SH @ 10.00 test
           -> S1 planned: a buy 100; residual 100
           -> a: submit S1.1 buy 100 @ 10.00
        09:32 S2 of t buy 100 600000.SH @ 10.00 test
           -> S2 planned: c buy 100; residual 100
           -> c: shadow S2.1 buy 100 @ 10.00
           -> S2 done
        09:33 S3 of u buy 100 600000.SH @ 10.00 test
           -> S3 denied TEST_SIGNAL
        09:34 restart
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:34 S4 of u buy 100 600000.SH @ 10.00 test
           -> S4 denied TEST_SIGNAL
        09:35 S5 of u buy 100 600000.SH @ 10.00
           -> b: submit S5.1 buy 100 @ 10.00
    ";

    a_signal_of_another_trading_day_is_a_back_tests: "
        given account a cash 100000 live
        Mon 16:00 S1 buy 100 600000.SH @ 10.00 decided Mon-14:55
           -> S1 waits for session, looks again at 09:30
        Tue 09:30
           -> a: submit S1.1 buy 100 @ 10.00
        Tue 09:31 S2 buy 100 600000.SH @ 10.00 decided Mon-16:00
           -> a: submit S2.1 buy 100 @ 10.00
        Tue 09:32 S3 buy 100 600000.SH @ 10.00 decided Mon-14:55
           -> S3 denied TEST_SIGNAL
        Tue 09:32 S4 buy 100 600000.SH @ 10.00 decided Thu-10:00
           -> S4 denied TEST_SIGNAL
    ";

    a_buy_waits_for_the_cash_of_a_live_sell: "
        given account a cash 1000 s 600000.SH 1000
        09:31 S1 sell 1000 600000.SH @ 10.00
           -> a: submit S1.1 sell 1000 @ 10.00
        09:31 S2 buy 200 000001.SZ @ 10.00
           -> S2.1 waits for cash until 09:41
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:32 restart
           -> a: find S1.1
        09:33 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.51
        09:34 broker S1.1 filled E2 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 0.51
           -> a: submit S2.1 buy 200 @ 10.00
    ";

    a_buy_that_waited_long_enough_for_cash_is_denied_or_smaller: "
        given account a cash 1550 s 600000.SH 1000 t 600000.SH 1000
        given route s a
        given route t a short shrink:60
        09:31 S1 sell 1000 600000.SH @ 10.50
           -> a: submit S1.1 sell 1000 @ 10.50
        09:31 S2 buy 200 000001.SZ @ 10.00
           -> S2.1 waits for cash until 09:41
        09:32 S3 of t sell 1000 600000.SH @ 10.50
           -> a: submit S3.1 sell 1000 @ 10.50
        09:32 S4 of t buy 300 000001.SZ @ 10.00
           -> S4.1 waits for cash until 09:33
        09:33
           -> a: submit S4.1 buy 100 @ 10.00
        09:41
           -> S2.1 denied CASH
           -> S2 denied CASH
        09:42 broker S4.1 accepted
           -> S4.1 accepted
        09:42 broker S4.1 filled E1 100 at 10.00
           -> S4.1 filled 100 at 10.00, fee 5.01
           -> S4 partially_done
    ";

    a_buy_does_not_wait_for_sells_that_have_ended_nor_for_those_of_others: "
        given account a cash 1000 s 600000.SH 1000 t 600000.SH 1000
        given route s a
        given route t a short deny
        09:31 S1 buy 200 000001.SZ @ 10.00
           -> S1.1 denied CASH
           -> S1 denied CASH
        09:31 S2 sell 100 600000.SH @ 10.50
           -> a: submit S2.1 sell 100 @ 10.50
        09:31 S3 of t buy 200 000001.SZ @ 10.00
           -> S3.1 denied CASH
           -> S3 denied CASH
        09:32 S4 buy 300 000001.SZ @ 10.00
           -> S4.1 waits for cash until 09:42
        09:33 broker S2.1 rejected
           -> S2.1 rejected
           -> S2 canceled
           -> S4.1 denied CASH
           -> S4 denied CASH
    ";

    a_buy_that_waits_for_cash_is_canceled_expires_and_stops: "
        given account a cash 1000 s 600000.SH 1000
        09:31 S1 sell 1000 600000.SH @ 10.50
           -> a: submit S1.1 sell 1000 @ 10.50
        09:31 S2 buy 200 000001.SZ @ 10.00
           -> S2.1 waits for cash until 09:41
        09:31 S3 buy 200 000001.SZ @ 10.00 until 09:35
           -> S3.1 waits for cash until 09:35
        09:31 S4 buy 200 000001.SZ @ 10.00
           -> S4.1 waits for cash until 09:41
        09:32 cancel S2
           -> S2.1 canceled: the signal is canceled
           -> S2 canceled
        09:35
           -> S3.1 expired: its time is out
           -> S3 expired
        09:36 stop s
        09:41
           -> S4.1 canceled: the strategy is not active
           -> S4 canceled
    ";

    of_what_comes_together_the_higher_priority_is_first_and_then_sells: "
        given account a cash 3000 s 600000.SH 1000
        09:31 S1 buy 100 000001.SZ @ 10.00 and S2 buy 200 000001.SZ @ 10.00 priority 5 and S3 sell 100 600000.SH @ 10.00
           -> S1.1 waits for cash until 09:41
           -> a: submit S3.1 sell 100 @ 10.00
           -> a: submit S2.1 buy 200 @ 10.00
        09:32 broker S3.1 accepted
           -> S3.1 accepted
        09:32 broker S3.1 filled E1 100 at 10.00
           -> S3.1 filled 100 at 10.00, fee 5.51
           -> S3 done
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    a_leg_that_was_confirmed_goes_out_by_its_policy: "
        given account a cash 100000
        given route s a confirm
        09:31 S1 buy 300 600000.SH @ 10.00 show 100
           -> S1 planned: a buy 300 waits for confirmation; residual 0
        09:32 confirm S1 in a
           -> S1.1 confirmed
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    what_reduces_is_planned_before_what_opens: "
        given account a cash 3000 s 600000.SH 1000
        given route s a short deny
        09:31 S1 buy 100 000001.SZ @ 10.00 and S2 sell 100 600000.SH @ 10.00
           -> a: submit S2.1 sell 100 @ 10.00
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    a_basket_is_planned_together_when_nothing_more_of_it_comes: "
        given account a cash 1000 s 600000.SH 1000
        09:31:00 S1 target 200 000001.SZ @ 10.00 basket B
           -> S1 waits for basket
        09:31:01 S2 target 0 600000.SH @ 10.00 basket B
           -> S2 waits for basket
        09:31:02 S3 of s buy 300 000001.SZ @ 10.00
           -> S3.1 denied CASH,ORDER_VALUE
           -> S3 denied CASH,ORDER_VALUE
        09:31:03
           -> S1.1 waits for cash until 09:41
           -> a: submit S2.1 sell 1000 @ 10.00
        09:32 broker S2.1 accepted
           -> S2.1 accepted
        09:32 broker S2.1 filled E1 1000 at 10.00
           -> S2.1 filled 1000 at 10.00, fee 10.10
           -> S2 done
           -> a: submit S1.1 buy 200 @ 10.00
    ";

    a_pursued_buy_waits_for_the_cash_of_a_live_sell_and_finds_its_price_anew: "
        given account a cash 1000 s 600000.SH 1000
        09:31 S1 sell 1000 600000.SH @ 10.00
           -> a: submit S1.1 sell 1000 @ 10.00
        09:31 S2 buy 200 000001.SZ show 100 priced last
           -> S2.1 waits for cash until 09:41
        09:32 broker S1.1 accepted
           -> S1.1 accepted
        09:33 restart
           -> a: find S1.1
        09:33 quote 000001.SZ 9.98
        09:34 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.51
           -> a: submit S2.1 buy 100 @ 9.98
        09:35 broker S2.1 accepted
           -> S2.1 accepted
        09:35 broker S2.1 filled E2 100 at 9.98
           -> S2.1 filled 100 at 9.98, fee 5.01
           -> S2.1 waits for cash until 09:45
        09:35 restart
           -> a: find S1.1
        09:36 broker S1.1 filled E3 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 0.51
           -> a: submit S2.1#2 buy 100 @ 9.98
    ";

    a_pursued_buy_that_waits_for_cash_is_canceled_and_denied_in_time: "
        given account a cash 1000 s 600000.SH 1000
        given route s a short wait:60
        09:31 S1 sell 1000 600000.SH @ 10.50
           -> a: submit S1.1 sell 1000 @ 10.50
        09:31 S2 buy 200 000001.SZ @ 10.00 show 100
           -> S2.1 waits for cash until 09:32
        09:31 S3 buy 200 000001.SZ @ 10.00 show 100
           -> S3.1 waits for cash until 09:32
        09:31:30 cancel S2
           -> S2.1 canceled: the signal is canceled
           -> S2 canceled
        09:32
           -> S3.1 denied CASH
           -> S3.1 ends: denied
           -> S3 denied CASH
    ";
}
