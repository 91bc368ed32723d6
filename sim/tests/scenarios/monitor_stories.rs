//! The stories of the monitors that look at positions.

use crate::stage::check;

stories! {
    a_stop_loss_sells_what_a_book_holds_once: "
        given paper
        given account a cash 50000 s 600000.SH 500 t 600000.SH 300
        given route s a
        given route t a
        09:31 limits strategy:s stop_loss 0.05
           -> limits 1 of strategy:s
        09:32 quote 600000.SH 9.51
        09:32 monitors
           -> s 600000.SH stop_loss at 9.50 armed
        09:33 quote 600000.SH 9.50
           -> S901 of s: sell 600000.SH, stop_loss at 9.50: last 9.50
           -> a: submit S901.1 sell 500 market
           -> S901.1 accepted
           -> S901.1 filled 500 at 9.50, fee 7.43
           -> S901 done
        09:33:01 quote 600000.SH 9.45
        09:34 quote 600000.SH 9.40
        09:34 show a
           -> a: cash 54742.57 reserved 0.00, t 600000.SH 300 (300 sellable)
    ";

    a_profit_is_taken_where_it_was_set: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a take_profit 0.03
           -> limits 1 of account:a
        09:32 quote 600000.SH 10.29
        09:33 quote 600000.SH 10.30
           -> S901 of s: sell 600000.SH, take_profit at 10.30: last 10.30
           -> a: submit S901.1 sell 500 market
    ";

    a_trailing_stop_hangs_on_the_best_and_waits_for_a_profit: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a trailing_stop 0.02
           -> limits 1 of account:a
        09:32 quote 600000.SH 9.70
        09:32 monitors
           -> s 600000.SH trailing_stop at - not_armed: it has not been above what it cost
        09:33 quote 600000.SH 10.40
        09:33 monitors
           -> s 600000.SH trailing_stop at 10.192 armed
        09:34 restart
        09:34 quote 600000.SH 10.20
        09:35 quote 600000.SH 10.19
           -> S901 of s: sell 600000.SH, trailing_stop at 10.192: last 10.19
           -> a: submit S901.1 sell 500 market
    ";

    a_fall_since_the_entry_is_bounded: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits global entry_drawdown 0.04
           -> limits 1 of global
        09:32 quote 600000.SH 9.70
        09:33 quote 600000.SH 9.60
           -> S901 of s: sell 600000.SH, entry_drawdown at 9.60: last 9.60
           -> a: submit S901.1 sell 500 market
    ";

    a_stop_by_true_ranges_needs_their_days: "
        given daily 600000.SH range 0.20 volume 1000000
        given account a cash 50000 s 600000.SH 500 s 000001.SZ 500
        09:31 limits account:a atr_stop 14x2
           -> limits 1 of account:a
        09:32 quote 000001.SZ 9.20
        09:32 monitors
           -> s 000001.SZ atr_stop at - not_armed: too few days are known
           -> s 600000.SH atr_stop at 9.60 armed
        09:33 quote 600000.SH 9.61
        09:34 quote 600000.SH 9.60
           -> S901 of s: sell 600000.SH, atr_stop at 9.60: last 9.60
           -> a: submit S901.1 sell 500 market
    ";

    what_was_bought_today_waits_until_it_can_be_sold: "
        given paper
        09:31 limits account:a stop_loss 0.02
           -> limits 1 of account:a
        09:32 S1 buy 500 600000.SH @ 10.00
           -> a: submit S1.1 buy 500 @ 10.00
           -> S1.1 accepted
           -> S1.1 filled 500 at 10.00, fee 5.05
           -> S1 done
        09:33 quote 600000.SH 9.70
        09:33 monitors
           -> s 600000.SH stop_loss at 9.8098 waits: it was bought today
        Tue 09:31 quote 600000.SH 9.69 prev 9.70
           -> S901 of s: sell 600000.SH, stop_loss at 9.8098: last 9.69
           -> a: submit S901.1 sell 500 market
           -> S901.1 accepted
           -> S901.1 filled 500 at 9.69, fee 7.47
           -> S901 done
    ";

    a_monitor_does_not_look_at_auctions_nor_at_old_prices: "
        given stale quotes
        given account a cash 50000 s 600000.SH 500
        Mon 09:20 limits account:a stop_loss 0.02
           -> limits 1 of account:a
        09:20 quote 600000.SH 9.50
        09:31 watch
        09:31 monitors
           -> s 600000.SH stop_loss at 9.80 not_armed: not in continuous trading
        09:32 quote 600000.SH 10.00
        09:40 watch
        09:40 monitors
           -> s 600000.SH stop_loss at 9.80 not_armed: the price is old
    ";

    a_monitor_is_quiet_while_its_sell_is_alive: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a stop_loss 0.02
           -> limits 1 of account:a
        09:32 quote 600000.SH 9.60
           -> S901 of s: sell 600000.SH, stop_loss at 9.80: last 9.60
           -> a: submit S901.1 sell 500 market
        09:32 broker S901.1 accepted
           -> S901.1 accepted
        09:33 restart
           -> a: find S901.1
        09:33:01 broker S901.1 accepted
        09:33 quote 600000.SH 9.50
        15:01 monitors
           -> S901.1 asks a person: takes_long
           -> a: exception asked, opened
           -> s 600000.SH stop_loss at 9.80 not_armed: not in continuous trading
        Tue 09:31 quote 600000.SH 9.40 prev 9.50
    ";

    a_halt_keeps_a_monitor_back_and_a_stopped_strategy_does_not: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a stop_loss 0.02
           -> limits 1 of account:a
        09:31 halt
        09:31 stop s
        09:32 quote 600000.SH 9.60
        09:32 monitors
           -> s 600000.SH stop_loss at 9.80 waits: trading is halted
        09:33 S1 sell 100 600000.SH @ 9.60
           -> S1 denied STRATEGY_STOPPED
        09:33 resume
        09:33 watch
           -> S901 of s: sell 600000.SH, stop_loss at 9.80: last 9.60
           -> a: submit S901.1 sell 500 market
        09:33 broker S901.1 accepted
           -> S901.1 accepted
        09:33:10 broker S901.1 filled E1 500 at 9.60
           -> S901.1 filled 500 at 9.60, fee 7.45
           -> S901 done
        09:34 S2 buy 100 600000.SH @ 9.60
           -> S2 denied STRATEGY_STOPPED
    ";

    a_share_that_went_ex_is_left_alone: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a stop_loss 0.10
           -> limits 1 of account:a
        14:59 quote 600000.SH 10.00
        Tue 09:31 quote 600000.SH 5.00 prev 5.00
        Tue 09:31 monitors
           -> s 600000.SH stop_loss at 9.00 not_armed: it went ex today: cost and highest are of before
    ";
}
