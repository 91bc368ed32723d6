//! How signals are executed: policies, price forms, auction manners, splits.

use crate::stage::check;

stories! {
    a_buy_is_tried_waited_for_taken_back_and_given_up: "
        09:31:00 S1 buy 300 600000.SH @ 10.00 give up after 60 times 2
           -> a: submit S1.1 buy 300 @ 10.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:30 broker S1.1 filled E1 100 at 10.00
           -> S1.1 filled 100 at 10.00, fee 5.01
        09:32:00
           -> S1.1 is taken back: waited
           -> a: cancel S1.1
        09:32:01 broker S1.1 canceled
           -> S1.1 canceled
        09:32:10
        09:32:11
           -> a: submit S1.1#2 buy 200 @ 10.00
        09:32:12 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:33:11
           -> S1.1#2 is taken back: waited
           -> a: cancel S1.1#2
        09:33:12 broker S1.1#2 canceled
           -> S1.1#2 canceled
           -> S1.1 ends: gave_up
           -> S1 partially_done
        09:33:12 show a
           -> a: cash 98994.99 reserved 0.00, s 600000.SH 100 (0 sellable)
    ";

    a_replacement_waits_for_the_proof_of_the_cancel_and_counts_what_was_filled_meanwhile: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 quote 600000.SH 10.00 bid 9.99 ask 10.01
        09:31:00 S1 sell 1000 600000.SH market priced opposite till done every 30
           -> a: submit S1.1 sell 1000 @ 9.99
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:20 quote 600000.SH 9.96 bid 9.95 ask 9.97
        09:31:30
           -> S1.1 is taken back: repriced
           -> a: cancel S1.1
        09:31:31 broker S1.1 filled E1 330 at 9.99
           -> S1.1 filled 330 at 9.99, fee 6.68
        09:31:50 broker S1.1 canceled
           -> S1.1 canceled
        09:31:59
        09:32:00
           -> a: submit S1.1#2 sell 670 @ 9.95
        09:32:00 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:32:10 broker S1.1#2 filled E2 670 at 9.95
           -> S1.1#2 filled 670 at 9.95, fee 8.40
           -> S1 done
    ";

    a_doubt_stops_everything_until_it_is_settled: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 quote 600000.SH 10.00 bid 9.99 ask 10.01
        09:31:00 S1 sell 1000 600000.SH market priced opposite till done every 30
           -> a: submit S1.1 sell 1000 @ 9.99
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:20 quote 600000.SH 9.96 bid 9.95 ask 9.97
        09:31:30
           -> S1.1 is taken back: repriced
           -> a: cancel S1.1
        09:31:31 broker S1.1 lost
           -> S1.1 in doubt
           -> alarm: S1.1 is in doubt
           -> a: find S1.1
        09:33:00
        09:33:01 broker S1.1 canceled
           -> S1.1 canceled
        09:33:11
           -> a: submit S1.1#2 sell 1000 @ 9.95
    ";

    a_restart_in_the_middle_goes_on_as_if_there_had_been_none: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 quote 600000.SH 10.00 bid 9.99 ask 10.01
        09:31:00 S1 sell 1000 600000.SH market priced opposite till done every 30
           -> a: submit S1.1 sell 1000 @ 9.99
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:10 restart
           -> a: find S1.1
        09:31:10 broker S1.1 accepted
        09:31:20 quote 600000.SH 9.96 bid 9.95 ask 9.97
        09:31:30
           -> S1.1 is taken back: repriced
           -> a: cancel S1.1
        09:31:31 broker S1.1 canceled
           -> S1.1 canceled
        09:31:35 restart
           -> a: find S1.1
        09:31:41
           -> a: submit S1.1#2 sell 1000 @ 9.95
    ";

    the_days_attempts_are_used_a_person_is_asked_and_the_order_stays: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 quote 600000.SH 10.00 bid 9.99 ask 10.01
        09:31:00 S1 buy 100 600000.SH market priced own reprice every 30 times 2
           -> a: submit S1.1 buy 100 @ 9.99
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:31:20 quote 600000.SH 10.01 bid 10.00 ask 10.02
        09:31:30
           -> S1.1 is taken back: repriced
           -> a: cancel S1.1
        09:31:31 broker S1.1 canceled
           -> S1.1 canceled
        09:31:41
           -> a: submit S1.1#2 buy 100 @ 10.00
        09:31:41 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:31:50 quote 600000.SH 10.02 bid 10.01 ask 10.03
        09:32:11
           -> S1.1#2 is taken back: repriced
           -> a: cancel S1.1#2
        09:32:12 broker S1.1#2 canceled
           -> S1.1#2 canceled
        09:32:22
           -> a: submit S1.1#3 buy 100 @ 10.01
        09:32:22 broker S1.1#3 accepted
           -> S1.1#3 accepted
        09:32:30 quote 600000.SH 10.03 bid 10.02 ask 10.04
        09:40
    ";

    refusals_are_three_and_a_person_is_asked_about_a_sell: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 S1 sell 100 600000.SH @ 10.00 till done every 30
           -> a: submit S1.1 sell 100 @ 10.00
        09:31:01 broker S1.1 rejected
           -> S1.1 rejected
        09:31:11
           -> a: submit S1.1#2 sell 100 @ 10.00
        09:31:12 broker S1.1#2 rejected
           -> S1.1#2 rejected
        09:31:22
           -> a: submit S1.1#3 sell 100 @ 10.00
        09:31:23 broker S1.1#3 rejected
           -> S1.1#3 rejected
           -> S1.1 asks a person: attempts_used
           -> a: exception asked, opened
        09:45
    ";

    a_sell_that_takes_long_is_told_and_goes_at_the_market_in_the_end: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 S1 sell 100 600000.SH @ 10.20 till done every 600 tell after 60 market after 120
           -> a: submit S1.1 sell 100 @ 10.20
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00
           -> S1.1 asks a person: takes_long
           -> a: exception asked, opened
        09:32:30 restart
           -> a: find S1.1
        09:33:00
           -> S1.1 is taken back: repriced
           -> a: cancel S1.1
        09:33:01 broker S1.1 canceled
           -> S1.1 canceled
        09:33:11
           -> a: submit S1.1#2 sell 100 market
        09:33:12 broker S1.1#2 accepted
           -> S1.1#2 accepted
        09:33:13 broker S1.1#2 filled E1 100 at 10.00
           -> S1.1#2 filled 100 at 10.00, fee 5.51
           -> a: exception asked, done
           -> S1 done
    ";

    at_the_limit_price_the_place_in_the_queue_is_kept: "
        given account a cash 100000 s 600000.SH 1000
        09:31:00 quote 600000.SH 9.00 ask 9.00
        09:31:00 S1 sell 100 600000.SH market priced limit_down till done every 30
           -> a: submit S1.1 sell 100 @ 9.00
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:35:00 quote 600000.SH 9.10 bid 9.09 ask 9.11
        09:40
    ";

    whoever_cancels_an_order_by_hand_ends_its_leg: "
        09:31:00 S1 buy 100 600000.SH @ 9.90 give up after 600 times 3
           -> a: submit S1.1 buy 100 @ 9.90
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00 cancel S1.1
           -> a: cancel S1.1
        09:32:01 broker S1.1 canceled
           -> S1.1 canceled
           -> S1.1 ends: canceled
           -> S1 canceled
        09:40
    ";

    a_signal_that_is_cancelled_places_nothing_more: "
        09:31:00 S1 buy 100 600000.SH @ 9.90 give up after 60 times 3
           -> a: submit S1.1 buy 100 @ 9.90
        09:31:00 broker S1.1 accepted
           -> S1.1 accepted
        09:32:00
           -> S1.1 is taken back: waited
           -> a: cancel S1.1
        09:32:01 broker S1.1 canceled
           -> S1.1 canceled
        09:32:05 cancel S1
           -> S1.1 ends: canceled
           -> S1 canceled
        09:40
    ";

    prices_are_found_when_the_order_is_placed: "
        given account a cash 1000000 s 600000.SH 1000
        09:31 quote 600000.SH 10.05 bid 10.04 ask 10.06
        09:31 S1 buy 100 600000.SH market priced last+2
           -> a: submit S1.1 buy 100 @ 10.07
        09:31 S2 buy 100 600000.SH market priced opposite
           -> a: submit S2.1 buy 100 @ 10.06
        09:31 S3 buy 100 600000.SH market priced own
           -> a: submit S3.1 buy 100 @ 10.04
        09:31 S4 buy 100 600000.SH market priced market
           -> a: submit S4.1 buy 100 market
    ";

    a_buy_that_hoped_for_a_sell_which_is_denied_beside_it_ends_with_it: "
        given account a cash 1000 s 600000.SH 1000
        09:31 quote 000001.SZ 10.05 bid 10.04 ask 10.06
        09:31 S1 sell 5000 600000.SH @ 9.95 and S2 buy 100 000001.SZ market priced last+2
           -> S1.1 denied SELLABLE
           -> S1 denied SELLABLE
           -> S2.1 denied CASH
           -> S2.1 ends: denied
           -> S2 denied CASH
    ";

    the_limit_price_is_asked_for_within_the_cage_in_continuous_trading: "
        09:31 quote 600000.SH 10.50 bid 10.49 ask 10.51
        09:31 S1 buy 100 600000.SH market priced limit_up
           -> a: submit S1.1 buy 100 @ 10.72
        09:32 quote 600000.SH 10.95 bid 10.94 ask 10.96
        09:32 S2 buy 100 600000.SH market priced limit_up
           -> a: submit S2.1 buy 100 @ 11.00
    ";

    a_price_that_is_missing_or_old_is_denied: "
        given stale quotes
        09:31:00 quote 600000.SH 10.00
        09:31:01 S1 buy 100 600000.SH market priced opposite
           -> S1 denied QUOTE_STALE
        09:32:01 S2 buy 100 600000.SH market priced last
           -> S2 denied QUOTE_STALE
    ";

    the_opening_auction_is_off_unless_asked: "
        given account a cash 1000000
        09:16 quote 600000.SH 10.00
        09:16 S1 buy 100 600000.SH @ 10.00
           -> S1 waits for session, looks again at 09:30
        09:16 S2 buy 100 600000.SH @ 10.10 auction
           -> a: submit S2.1 buy 100 @ 10.10
        09:30
           -> a: submit S1.1 buy 100 @ 10.00
    ";

    a_buy_that_waits_is_given_up_before_the_closing_auction_and_a_sell_gets_its_last_price: "
        given account a cash 100000 s 600000.SH 500
        14:56:00 quote 600000.SH 10.00 bid 9.99 ask 10.01
        14:56:00 S1 buy 100 000001.SZ @ 9.90 give up after 300 times 3
           -> a: submit S1.1 buy 100 @ 9.90
        14:56:00 broker S1.1 accepted
           -> S1.1 accepted
        14:56:00 S2 sell 100 600000.SH market priced opposite till done every 300
           -> a: submit S2.1 sell 100 @ 9.99
        14:56:00 broker S2.1 accepted
           -> S2.1 accepted
        14:56:05 quote 600000.SH 9.98 bid 9.97 ask 9.99
        14:56:16
           -> S2.1 is taken back: repriced
           -> a: cancel S2.1
        14:56:17 broker S2.1 canceled
           -> S2.1 canceled
        14:56:26
           -> S1.1 is taken back: waited
           -> a: cancel S1.1
        14:56:27 broker S1.1 canceled
           -> a: submit S2.1#2 sell 100 @ 9.97
           -> S1.1 canceled
           -> S1.1 ends: gave_up
           -> S1 canceled
        14:56:28 broker S2.1#2 accepted
           -> S2.1#2 accepted
        14:56:40 quote 600000.SH 9.90 bid 9.89 ask 9.91
        15:01 broker S2.1#2 expired
           -> S2.1#2 expired
           -> S2.1 ends: expired
           -> S2 expired
    ";

    more_than_the_largest_single_order_is_split: "
        given account a cash 20000000 s 688981.SH 250150
        09:31 S1 sell 250150 688981.SH @ 10.00
           -> a: submit S1.1 sell 100000 @ 10.00
           -> a: submit S1.1#2 sell 100000 @ 10.00
           -> a: submit S1.1#3 sell 50150 @ 10.00
    ";

    an_odd_lot_goes_as_the_whole_remainder_with_the_last_part: "
        given account a cash 100000 s 600000.SH 1050
        09:31:00 S1 sell 1050 600000.SH @ 10.00 twap over 60 parts 3
           -> a: submit S1.1 sell 400 @ 10.00
        09:31:00 broker S1.1 filled E1 400 at 10.00
           -> S1.1 filled 400 at 10.00, fee 7.04
        09:31:21
           -> a: submit S1.1#2 sell 300 @ 10.00
        09:31:41
           -> a: submit S1.1#3 sell 350 @ 10.00
    ";

    an_iceberg_shows_its_tip_and_no_more: "
        09:31:00 S1 buy 500 600000.SH @ 10.00 show 200
           -> a: submit S1.1 buy 200 @ 10.00
        09:31:10 broker S1.1 filled E1 200 at 10.00
           -> S1.1 filled 200 at 10.00, fee 5.02
           -> a: submit S1.1#2 buy 200 @ 10.00
        09:31:20 broker S1.1#2 filled E2 200 at 10.00
           -> S1.1#2 filled 200 at 10.00, fee 5.02
           -> a: submit S1.1#3 buy 100 @ 10.00
        09:31:30 broker S1.1#3 filled E3 100 at 10.00
           -> S1.1#3 filled 100 at 10.00, fee 5.01
           -> S1 done
    ";

    good_till_date_is_placed_anew_on_the_next_day: "
        09:31 S1 buy 100 600000.SH @ 9.50 renew until Tue,14:00
           -> a: submit S1.1 buy 100 @ 9.50
        09:31 broker S1.1 accepted
           -> S1.1 accepted
        15:01 broker S1.1 expired
           -> S1.1 expired
        Tue 09:30
           -> a: submit S1.1#2 buy 100 @ 9.50
        Tue 09:31 broker S1.1#2 accepted
           -> S1.1#2 accepted
        Tue 14:00
           -> S1.1#2 is taken back: time_out
           -> a: cancel S1.1#2
        Tue 14:00:01 broker S1.1#2 canceled
           -> S1.1#2 canceled
           -> S1.1 ends: expired
           -> S1 expired
    ";
}
