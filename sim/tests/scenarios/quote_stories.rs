//! Stories of what has its turn before its instrument has a price: a start knows none, and many a share trades seconds after
//! the open. What acts by our own clock waits; who sends a signal into the open market is told at once.

use crate::stage::check;

stories! {
    what_is_renewed_waits_for_the_first_quote_after_a_restart: "
        09:31 S1 buy 100 600000.SH @ 9.90 renew until Wed,15:00
           -> a: submit S1.1 buy 100 @ 9.90
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        15:00 broker S1.1 expired
           -> S1.1 expired
        16:00 kill
        Tue 09:31 restart blind
           -> S1.1 waits for quote until 09:34
           -> a: find S1.1
        09:32 quote 600000.SH 10.00
           -> a: submit S1.1#2 buy 100 @ 9.90
    ";

    what_waits_for_a_quote_too_long_is_denied: "
        given stale quotes
        09:00 S1 buy 100 600000.SH @ 9.90
           -> S1 waits for session, looks again at 09:30
        09:01 kill
        09:31 restart blind
           -> S1 waits for quote, looks again at 09:34
        09:33:59
        09:34:00
           -> S1.1 denied QUOTE_STALE
           -> S1 denied QUOTE_STALE
    ";

    another_start_waits_anew_and_the_time_of_the_signal_comes_first: "
        given stale quotes
        09:00 S1 buy 100 600000.SH @ 9.90 until 09:35
           -> S1 waits for session, looks again at 09:30
        09:01 kill
        09:31 restart blind
           -> S1 waits for quote, looks again at 09:34
        09:33 restart blind
        09:34:30
        09:35:00
           -> S1 expired
    ";

    who_sends_into_the_open_market_is_told_at_once: "
        given stale quotes
        09:31 restart blind
        09:31 S1 buy 100 600000.SH @ 9.90
           -> S1.1 denied QUOTE_STALE
           -> S1 denied QUOTE_STALE
    ";

    each_later_attempt_waits_for_a_quote: "
        given stale quotes
        09:31:00 quote 600000.SH 10.00
        09:31:00 S1 buy 100 600000.SH @ 10.00 give up after 20 times 3
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:05 restart blind
           -> a: find S1.1
        09:31:05 broker S1.1 accepted
        09:31:20
           -> S1.1 is taken back: waited
           -> a: cancel S1.1
        09:31:21 broker S1.1 canceled
           -> S1.1 canceled
        09:31:31
           -> S1.1 waits for quote until 09:34
        09:31:40 quote 600000.SH 10.00
           -> a: submit S1.1#2 buy 100 @ 10.00
    ";

    an_attempt_that_waits_outlives_a_restart_and_can_be_cancelled: "
        given stale quotes
        09:31:00 quote 600000.SH 10.00
        09:31:00 S1 buy 100 600000.SH @ 10.00 give up after 20 times 3
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:20
           -> S1.1 is taken back: waited
           -> a: cancel S1.1
        09:31:21 broker S1.1 canceled
           -> S1.1 canceled
        09:31:22 kill
        09:33:00 restart blind
           -> S1.1 waits for quote until 09:36
           -> a: find S1.1
        09:34:00 kill
        09:40:00 restart blind
           -> S1.1 waits for quote until 09:43
           -> a: find S1.1
        09:41:00 cancel S1
           -> S1.1 canceled: the signal is canceled
           -> S1 canceled
        09:41:30 quote 600000.SH 10.00
    ";

    a_buy_whose_time_for_cash_ran_out_meanwhile_becomes_smaller_with_the_first_quote: "
        given stale quotes
        given account a cash 2000 s 000001.SZ 1000
        given route s a short shrink:20
        09:31:00 quote 600000.SH 10.00
        09:31:00 quote 000001.SZ 10.00
        09:31:00 S1 sell 1000 000001.SZ @ 10.00
           -> a: submit S1.1 sell 1000 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:01 S2 buy 300 600000.SH @ 10.00
           -> S2.1 waits for cash until 09:31
        09:31:05 kill
        09:35:00 restart blind
           -> S2.1 waits for quote until 09:38
           -> a: find S1.1
        09:35:00 broker S1.1 canceled
           -> S1.1 canceled
           -> S1 canceled
        09:36:00 quote 600000.SH 10.00
           -> a: submit S2.1 buy 100 @ 10.00
    ";

    what_an_earlier_life_did_not_send_waits_for_a_quote: "
        given stale quotes
        09:31:00 quote 600000.SH 10.00
        09:31:00 hold journal
        09:31:00 S1 buy 100 600000.SH @ 10.00
        09:31:01 restart keeping 1 blind
           -> S1.1 waits for quote until 09:34
        09:31:30 quote 600000.SH 10.00
           -> a: submit S1.1 buy 100 @ 10.00
        09:31:31 broker S1.1 accepted
           -> S1.1 accepted
    ";

    signals_of_the_night_wait_for_the_first_quote_after_a_late_start: "
        given account a cash 1000000
        given route s a base equity:1
        08:10 S1 buy 100 600000.SH @ 9.90
           -> S1 waits for session, looks again at 09:30
        08:10 S2 buy 100 600000.SH market
           -> S2 waits for session, looks again at 09:30
        08:10 S3 buy ¥20000 600000.SH market
           -> S3 waits for session, looks again at 09:30
        08:10 S4 target 10% 600000.SH @ 10.00
           -> S4 waits for session, looks again at 09:30
        08:10 S5 buy 100 000001.SZ market priced last
           -> S5 waits for session, looks again at 09:30
        08:11 kill
        09:30:40 restart blind
           -> S4 waits for quote, looks again at 09:33
           -> S1 waits for quote, looks again at 09:33
           -> S2 waits for quote, looks again at 09:33
           -> S3 waits for quote, looks again at 09:33
           -> S5 waits for quote, looks again at 09:33
        09:31:10 quote 600000.SH 10.00
           -> a: submit S1.1 buy 100 @ 9.90
           -> a: submit S2.1 buy 100 market
           -> a: submit S3.1 buy 2000 market
           -> a: submit S4.1 buy 7800 @ 10.00
        09:33:40
           -> S5 denied QUOTE_STALE
    ";

    a_share_that_trades_late_is_waited_for_at_the_open_and_after_lunch: "
        given stale quotes
        Tue 09:29:50 S1 buy ¥20000 600000.SH market
           -> S1 waits for session, looks again at 09:30
        09:30:00
           -> S1 waits for quote, looks again at 09:33
        09:30:07 quote 600000.SH 11.00
           -> S1 planned: a buy 1800; residual 18
           -> a: submit S1.1 buy 1800 market
        11:20:00 quote 000001.SZ 10.00
        11:45:00 S2 buy 100 000001.SZ @ 10.00
           -> S2 waits for session, looks again at 13:00
        13:00:00
           -> S2 waits for quote, looks again at 13:03
        13:00:09 quote 000001.SZ 10.00
           -> a: submit S2.1 buy 100 @ 10.00
    ";

    a_slice_that_finds_an_old_quote_is_put_off: "
        given stale quotes
        given account a cash 100000
        09:31:00 quote 600000.SH 10.00
        09:31:00 S1 buy 1000 600000.SH market twap over 100 parts 10
           -> a: submit S1.1 buy 100 market
        09:31:00 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:31:10
        09:31:11 broker S1.1#2 filled E2 100 at 10.00
           -> a: submit S1.1#2 buy 100 market
           -> S1.1#2 filled 100 at 10.00, fee 5.01
        09:31:21
           -> S1.1 waits for quote until 15:00
        09:31:38 quote 600000.SH 10.00
           -> a: submit S1.1#3 buy 200 market
        09:31:39 broker S1.1#3 filled E3 200 at 10.00
           -> S1.1#3 filled 200 at 10.00, fee 5.02
        09:31:50
           -> a: submit S1.1#4 buy 100 market
        09:31:51 broker S1.1#4 filled E4 100 at 10.00
           -> a: submit S1.1#5 buy 100 market
           -> S1.1#4 filled 100 at 10.00, fee 5.01
        09:31:52 broker S1.1#5 filled E5 100 at 10.00
           -> S1.1#5 filled 100 at 10.00, fee 5.01
        09:39:00
           -> S1.1 waits for quote until 15:00
        09:40:00 quote 600000.SH 10.00
           -> a: submit S1.1#6 buy 400 market
    ";

    the_tip_of_an_iceberg_and_a_new_price_wait_as_long_as_it_takes: "
        given stale quotes
        given account a cash 100000 s 000001.SZ 500
        09:31:00 quote 600000.SH 10.00
        09:31:00 quote 000001.SZ 10.00 bid 9.99 ask 10.01
        09:31:00 S1 buy 500 600000.SH @ 10.00 show 200
           -> a: submit S1.1 buy 200 @ 10.00
        09:31:00 S2 sell 500 000001.SZ market priced opposite reprice every 30 times 3
           -> a: submit S2.1 sell 500 @ 9.99
        09:33:00 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> S1.1 waits for quote until 15:00
        09:45:00
        09:46:00 quote 600000.SH 10.00
           -> a: submit S1.1#2 buy 200 @ 10.00
        09:46:01 quote 000001.SZ 9.90 bid 9.89 ask 9.91
        09:46:10
           -> S2.1 is taken back: repriced
    ";

    limits_say_how_old_a_quote_may_be: "
        given stale quotes
        09:29:00 quote 600000.SH 10.00
        09:29:10 limits account:a quote_age_market_s 3600
           -> limits 1 of account:a; looser quote_age_market_s
        09:29:10 S1 buy 100 600000.SH market
           -> S1 waits for session, looks again at 09:30
        11:29:00 limits strategy:s quote_age_market_s 5
           -> a: submit S1.1 buy 100 market
           -> limits 1 of strategy:s
        11:45:00 S2 buy 100 600000.SH market
           -> S2 waits for session, looks again at 13:00
        13:00:00
           -> S2 waits for quote, looks again at 13:03
        13:00:20 quote 600000.SH 10.00
           -> a: submit S2.1 buy 100 market
    ";

    cash_that_comes_while_there_is_no_price_is_spent_with_the_first_one: "
        given stale quotes
        given account a cash 2000 s 000001.SZ 1000
        09:31:00 quote 600000.SH 10.00
        09:31:00 quote 000001.SZ 10.00
        09:31:00 S1 sell 1000 000001.SZ @ 10.00
           -> a: submit S1.1 sell 1000 @ 10.00
        09:31:01 S2 buy 200 600000.SH @ 10.00
           -> S2.1 waits for cash until 09:41
        09:33:00 broker S1.1 filled E1 1000 at 10.00
           -> S1.1 filled 1000 at 10.00, fee 10.10
           -> S2.1 waits for quote until 09:36
           -> S1 done
        09:33:30 quote 600000.SH 10.00
           -> a: submit S2.1 buy 200 @ 10.00
    ";

    a_strategy_that_is_paused_or_stopped_sends_nothing_with_the_quote: "
        given stale quotes
        09:00 S1 buy 100 600000.SH @ 9.90
           -> S1 waits for session, looks again at 09:30
        09:00 S2 buy 100 000001.SZ @ 9.90
           -> S2 waits for session, looks again at 09:30
        09:01 kill
        09:31 restart blind
           -> S1 waits for quote, looks again at 09:34
           -> S2 waits for quote, looks again at 09:34
        09:31:10 pause s
        09:31:20 quote 600000.SH 10.00
           -> S1 waits for strategy, looks again at 15:00
        09:31:30 start s
           -> a: submit S1.1 buy 100 @ 9.90
        09:31:40 stop s
           -> S2 denied STRATEGY_STOPPED
        09:31:50 quote 000001.SZ 10.00
    ";

    what_came_while_its_strategy_was_paused_waits_too: "
        given stale quotes
        09:31:00 quote 600000.SH 10.00
        09:31:00 pause s
        09:31:10 S1 buy 100 600000.SH market
        09:40:00 start s
           -> S1 waits for quote, looks again at 09:43
        09:40:30 quote 600000.SH 10.00
           -> a: submit S1.1 buy 100 market
    ";

    a_renewed_order_of_a_strategy_that_is_stopped_meanwhile_ends: "
        09:31 S1 buy 100 600000.SH @ 9.90 renew until Wed,15:00
           -> a: submit S1.1 buy 100 @ 9.90
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        15:00 broker S1.1 expired
           -> S1.1 expired
        16:00 kill
        Tue 09:31 restart blind
           -> S1.1 waits for quote until 09:34
           -> a: find S1.1
        09:31:10 stop s
        09:31:20 quote 600000.SH 10.00
           -> S1.1 ends: canceled
           -> S1 canceled
        09:34:30
    ";
}
