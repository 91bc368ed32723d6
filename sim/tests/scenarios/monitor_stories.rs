//! The stories of the monitors that look at positions.

use crate::stage::check;

stories! {
    a_stop_loss_sells_what_a_book_holds_once: "
        given paper
        given account a cash 50000 s 600000.SH 500 t 600000.SH 300
        given route s a
        given route t a
        09:31 limits strategy:s stop_loss 0.05
        09:32 quote 600000.SH 9.51
        09:32 monitors
        09:33 quote 600000.SH 9.50
        09:33:01 quote 600000.SH 9.45
        09:34 quote 600000.SH 9.40
        09:34 show a
    ";

    a_profit_is_taken_where_it_was_set: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a take_profit 0.03
        09:32 quote 600000.SH 10.29
        09:33 quote 600000.SH 10.30
    ";

    a_trailing_stop_hangs_on_the_best_and_waits_for_a_profit: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a trailing_stop 0.02
        09:32 quote 600000.SH 9.70
        09:32 monitors
        09:33 quote 600000.SH 10.40
        09:33 monitors
        09:34 restart
        09:34 quote 600000.SH 10.20
        09:35 quote 600000.SH 10.19
    ";

    a_fall_since_the_entry_is_bounded: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits global entry_drawdown 0.04
        09:32 quote 600000.SH 9.70
        09:33 quote 600000.SH 9.60
    ";

    a_stop_by_true_ranges_needs_their_days: "
        given daily 600000.SH range 0.20 volume 1000000
        given account a cash 50000 s 600000.SH 500 s 000001.SZ 500
        09:31 limits account:a atr_stop 14x2
        09:32 quote 000001.SZ 9.20
        09:32 monitors
        09:33 quote 600000.SH 9.61
        09:34 quote 600000.SH 9.60
    ";

    what_was_bought_today_waits_until_it_can_be_sold: "
        given paper
        09:31 limits account:a stop_loss 0.02
        09:32 S1 buy 500 600000.SH @ 10.00
        09:33 quote 600000.SH 9.70
        09:33 monitors
        Tue 09:31 quote 600000.SH 9.69 prev 9.70
    ";

    a_monitor_does_not_look_at_auctions_nor_at_old_prices: "
        given stale quotes
        given account a cash 50000 s 600000.SH 500
        Mon 09:20 limits account:a stop_loss 0.02
        09:20 quote 600000.SH 9.50
        09:31 watch
        09:31 monitors
        09:32 quote 600000.SH 10.00
        09:40 watch
        09:40 monitors
    ";

    a_monitor_goes_off_again_on_the_next_day_when_nobody_bought: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a stop_loss 0.02
        09:32 quote 600000.SH 9.60
        09:32 broker S901.1 accepted
        09:33 restart
        09:33:01 broker S901.1 accepted
        09:33 quote 600000.SH 9.50
        15:01 monitors
        Tue 09:31 quote 600000.SH 9.40 prev 9.50
    ";

    a_halt_keeps_a_monitor_and_a_stopped_strategy_does_not: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a stop_loss 0.02
        09:31 halt
        09:31 stop s
        09:32 quote 600000.SH 9.60
        09:32 monitors
        09:33 resume
        09:33 watch
    ";

    a_share_that_went_ex_is_left_alone: "
        given account a cash 50000 s 600000.SH 500
        09:31 limits account:a stop_loss 0.10
        14:59 quote 600000.SH 10.00
        Tue 09:31 quote 600000.SH 5.00 prev 5.00
        Tue 09:31 monitors
    ";
}
