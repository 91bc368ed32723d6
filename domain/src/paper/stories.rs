//! The venue's rules told as short stories: what comes in, and after `->` what goes out.

use super::*;
use crate::quote::Aggressor;
use crate::symbol::Exchange;

const CALM: VenueConf = VenueConf { participation: Ratio::ONE, queue: false };
const QUEUED: VenueConf = VenueConf { participation: Ratio::ONE, queue: true };

#[test]
fn an_order_at_the_opposite_price_takes_the_shown_size_and_rests_with_what_is_left() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 1000 10.01
         -> a P1 accepted
         -> a P1-1 filled 300 at 10.01
         quote bid 10.01 100 ask 10.02 300
         quote bid 10.01 100 ask 10.01 0
         print 10.01 50 sell
         -> a P1-2 filled 50 at 10.01
         cancel a 1
         -> a 1 canceled 350",
    );
}

#[test]
fn the_shown_size_is_given_out_once_across_accounts_until_the_next_quote() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 200 10.01
         -> a P1 accepted
         -> a P1-1 filled 200 at 10.01
         buy b 2 200 10.01
         -> b P2 accepted
         -> b P2-1 filled 100 at 10.01
         buy c 3 200 10.05
         -> c P3 accepted
         quote bid 10.00 500 ask 10.01 250
         -> c P3-1 filled 200 at 10.01
         -> b P2-2 filled 50 at 10.01",
    );
}

#[test]
fn a_quote_without_sizes_fills_any_quantity() {
    check(
        CALM,
        "quote bid 10.00 ask 10.01
         buy a 1 1000000 10.05
         -> a P1 accepted
         -> a P1-1 filled 1000000 at 10.01
         quote last 9.50
         sell a 2 700 market
         -> a P2 accepted
         -> a P2-1 filled 700 at 9.50",
    );
}

#[test]
fn what_an_immediate_order_cannot_have_at_once_is_cancelled() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 400 market ioc
         -> a P1 accepted
         -> a P1-1 filled 300 at 10.01
         -> a 1 canceled 300
         buy a 2 400 9.99 ioc
         -> a P2 accepted
         -> a 2 canceled 0
         cancel a 2
         -> a 2 cancel rejected TooLate(Canceled)",
    );
}

#[test]
fn a_market_order_without_any_market_is_refused_and_a_limit_order_waits() {
    check(
        CALM,
        "buy a 1 100 market
         -> a 1 rejected NoMarket
         buy a 2 100 10.00
         -> a P2 accepted
         quote bid 9.97 100 ask 9.98 100
         -> a P2-1 filled 100 at 9.98",
    );
}

#[test]
fn a_passive_order_gets_its_own_limit_when_the_market_comes_to_it() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 100 10.00
         -> a P1 accepted
         buy b 2 100 9.99
         -> b P2 accepted
         print 9.98 150 sell
         -> a P1-1 filled 100 at 10.00
         -> b P2-1 filled 50 at 9.99
         quote bid 9.90 500 ask 9.95 300
         -> b P2-2 filled 50 at 9.99",
    );
}

#[test]
fn a_print_fills_only_the_side_that_its_aggressor_hit() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.02 300
         buy a 1 100 10.01
         -> a P1 accepted
         sell b 2 100 10.01
         -> b P2 accepted
         print 10.01 40 buy
         -> b P2-1 filled 40 at 10.01
         print 10.01 30 sell
         -> a P1-1 filled 30 at 10.01
         print 10.00 30 buy
         print 10.02 30 sell",
    );
}

#[test]
fn a_print_at_our_price_first_serves_the_queue_that_was_shown_when_we_came() {
    check(
        QUEUED,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 100 10.00
         -> a P1 accepted
         print 10.00 450 sell
         print 10.00 100 sell
         -> a P1-1 filled 50 at 10.00
         print 10.00 30 sell
         -> a P1-2 filled 30 at 10.00
         print 9.99 100 sell
         -> a P1-3 filled 20 at 10.00",
    );
}

#[test]
fn a_market_that_went_through_our_price_leaves_nobody_in_front_of_us() {
    check(
        QUEUED,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 100 10.00
         -> a P1 accepted
         buy b 2 100 10.00
         -> b P2 accepted
         quote bid 9.98 500 ask 9.99 30
         -> a P1-1 filled 30 at 10.00
         print 10.00 90 sell
         -> a P1-2 filled 70 at 10.00
         -> b P2-1 filled 20 at 10.00",
    );
}

#[test]
fn the_best_bid_that_is_ours_alone_has_no_queue() {
    check(
        QUEUED,
        "quote bid 10.00 500 ask 10.02 300
         buy a 1 100 10.01
         -> a P1 accepted
         print 10.01 60 sell
         -> a P1-1 filled 60 at 10.01",
    );
}

#[test]
fn a_queue_that_was_not_shown_is_learned_when_the_market_gets_there() {
    check(
        QUEUED,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 100 9.98
         -> a P1 accepted
         quote bid 9.98 700 ask 9.99 300
         print 9.98 600 sell
         print 9.98 100 sell
         print 9.98 10 sell
         -> a P1-1 filled 10 at 9.98",
    );
}

#[test]
fn with_prints_only_the_first_print_at_our_price_is_the_queue() {
    check(
        QUEUED,
        "print 10.00 100 sell
         buy a 1 100 9.99
         -> a P1 accepted
         print 9.99 800 sell
         print 9.99 30 sell
         -> a P1-1 filled 30 at 9.99",
    );
}

#[test]
fn with_prints_only_a_market_order_takes_its_share_of_the_prints_that_follow() {
    check(
        VenueConf { participation: Ratio::from_percent(25), queue: true },
        "print 10.00 100 sell
         buy a 1 100 market
         -> a P1 accepted
         buy b 2 100 10.05
         -> b P2 accepted
         print 10.01 200 buy
         -> a P1-1 filled 50 at 10.01
         print 10.02 401 sell
         -> a P1-2 filled 50 at 10.02
         -> b P2-1 filled 50 at 10.02
         print 10.06 400 sell
         print 10.04 400 sell
         -> b P2-2 filled 50 at 10.05",
    );
}

#[test]
fn a_print_is_shared_in_price_time_priority() {
    check(
        VenueConf { participation: Ratio::from_percent(50), queue: false },
        "quote bid 9.90 500 ask 10.10 300
         sell a 1 100 10.02
         -> a P1 accepted
         sell b 2 100 10.01
         -> b P2 accepted
         sell c 3 100 10.01
         -> c P3 accepted
         print 10.03 501 buy
         -> b P2-1 filled 100 at 10.01
         -> c P3-1 filled 100 at 10.01
         -> a P1-1 filled 50 at 10.02",
    );
}

#[test]
fn an_auction_gives_both_sides_its_price_from_one_budget() {
    check(
        CALM,
        "buy a 1 100 10.20
         -> a P1 accepted
         sell b 2 100 9.80
         -> b P2 accepted
         buy c 3 100 9.99
         -> c P3 accepted
         print 10.00 150 auction
         -> a P1-1 filled 100 at 10.00
         -> b P2-1 filled 50 at 10.00",
    );
}

#[test]
fn an_auctions_indication_fills_nobody() {
    check(
        CALM,
        "quote last 10.00 bid 10.02 5000 ask 10.02 5000
         buy a 1 100 10.05
         -> a P1 accepted
         print 10.02 9000 auction
         -> a P1-1 filled 100 at 10.02",
    );
}

#[test]
fn in_a_market_locked_at_limit_up_a_buy_waits_behind_the_whole_queue() {
    check(
        QUEUED,
        "quote last 11.00 bid 11.00 90000
         buy a 1 100 11.00 band 9.00 11.00
         -> a P1 accepted
         buy b 2 100 market band 9.00 11.00
         -> b P2 accepted
         quote last 11.00 bid 11.00 80000
         print 11.00 90000 sell
         print 11.00 150 sell
         -> a P1-1 filled 100 at 11.00
         -> b P2-1 filled 50 at 11.00
         sell c 3 100 market band 9.00 11.00
         -> c P3 accepted
         -> c P3-1 filled 100 at 11.00",
    );
}

#[test]
fn nothing_fills_outside_the_band() {
    check(
        CALM,
        "quote bid 11.01 100 ask 11.02 100
         buy a 1 100 11.02 band 9.00 11.00
         -> a 1 rejected LimitPriceOutsideBand { limit_price: 11.02, low: 9.00, high: 11.00 }
         buy a 2 100 market band 9.00 11.00
         -> a P2 accepted
         print 11.02 100 sell
         sell b 3 100 market band 9.00 11.00
         -> b P3 accepted
         -> b P3-1 filled 100 at 11.00
         quote bid 8.98 100 ask 8.99 100
         -> a P2-1 filled 100 at 9.00",
    );
}

#[test]
fn the_same_order_twice_is_one_order_even_after_it_ended() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.01 300
         buy a 1 100 10.01
         -> a P1 accepted
         -> a P1-1 filled 100 at 10.01
         buy a 1 100 10.01
         -> a P1 accepted
         buy b 1 100 9.00
         -> b P1 accepted
         end
         -> b 1 expired 0
         buy b 1 100 9.00
         -> b P1 accepted
         end
         buy b 1 100 9.00
         -> b P1 accepted
         end
         -> b 1 expired 0",
    );
}

#[test]
fn the_end_of_the_day_expires_by_arrival_and_forgets_the_market() {
    check(
        CALM,
        "quote bid 10.00 500 ask 10.01 300
         sell a 3 100 11.00
         -> a P3 accepted
         buy a 2 100 9.00
         -> a P2 accepted
         buy a 1 100 9.50
         -> a P1 accepted
         end
         -> a 3 expired 0
         -> a 2 expired 0
         -> a 1 expired 0
         cancel a 1
         -> a 1 cancel rejected TooLate(Expired)
         buy a 4 100 market
         -> a 4 rejected NoMarket
         cancel a 9
         -> a 9 cancel rejected UnknownOrder",
    );
}

#[test]
fn a_halted_symbol_shows_nothing_to_take() {
    check(
        CALM,
        "quote last 10.00 bid 10.00 ask 10.01
         quote
         buy a 1 100 market
         -> a P1 accepted
         buy a 2 100 10.01 ioc
         -> a P2 accepted
         -> a 2 canceled 0",
    );
}

#[test]
fn malformed_orders_are_refused_with_their_numbers() {
    check(
        CALM,
        "buy a 1 0 10.00
         -> a 1 rejected NothingToFill { qty: 0, cum_qty: 0 }
         buy a 2 100 none
         -> a 2 rejected LimitPriceMissing
         buy a 3 100 0
         -> a 3 rejected LimitPriceNotPositive { limit_price: 0.00 }
         buy a 4 100 10.00 band 11.00 9.00
         -> a 4 rejected BandInverted { low: 11.00, high: 9.00 }
         buy a 1 100 10.00
         -> a 1 rejected NothingToFill { qty: 0, cum_qty: 0 }
         cancel a 1
         -> a 1 cancel rejected TooLate(Rejected(NothingToFill { qty: 0, cum_qty: 0 }))",
    );
}

#[test]
fn a_restored_order_works_on_without_a_second_acceptance_and_goes_on_counting_its_fills() {
    let mut venue = PaperVenue::new(CALM);
    venue.restore(order("buy a 7 100 10.00", Qty::new(60)), BrokerOrderId("old-7".into()), 2);
    venue.restore(order("buy a 7 999 10.00", Qty::new(0)), BrokerOrderId("P7".into()), 0);
    venue.restore(order("buy a 8 100 10.00 ioc", Qty::new(10)), BrokerOrderId("P8".into()), 1);
    venue.restore(order("buy a 9 100 10.00", Qty::new(100)), BrokerOrderId("P9".into()), 1);
    assert_eq!(
        play(
            &mut venue,
            "quote bid 9.98 500 ask 9.99 10
             buy a 7 100 10.00
             print 9.99 100 sell"
        ),
        lines(
            "quote bid 9.98 500 ask 9.99 10
             -> a 8 canceled 10
             -> a P7-3 filled 10 at 10.00
             buy a 7 100 10.00
             -> a old-7 accepted
             print 9.99 100 sell
             -> a P7-4 filled 30 at 10.00"
        )
    );
    let find = |id| venue.find(&account("a"), OrderId::new(id)).map(|state| (state.status, state.cum_qty.get()));
    assert_eq!(find(7), Some((VenueStatus::Filled, 100)));
    assert_eq!(find(8), Some((VenueStatus::Canceled, 10)));
    assert_eq!(find(9), Some((VenueStatus::Filled, 100)));
    assert_eq!(find(10), None);
}

#[test]
fn half_of_a_ticks_volume_serves_the_queue_at_its_last_price() {
    check(
        QUEUED,
        "quote last 10.01 bid 10.00 500 ask 10.01 300 volume 1000
         buy a 1 100 10.00
         -> a P1 accepted
         quote last 10.00 bid 10.00 300 ask 10.01 300 volume 1900
         quote last 10.01 bid 10.00 300 ask 10.01 100 volume 2900
         quote last 10.00 bid 10.00 300 ask 10.01 100 volume 3100
         -> a P1-1 filled 50 at 10.00
         quote last 9.99 bid 9.98 300 ask 10.00 10 volume 3140
         -> a P1-2 filled 20 at 10.00
         -> a P1-3 filled 10 at 10.00",
    );
}

#[test]
fn the_first_volume_of_a_day_is_where_counting_begins_and_a_last_price_alone_serves_nobody() {
    check(
        CALM,
        "buy a 1 100 10.00
         -> a P1 accepted
         quote last 10.00 bid 9.99 500 ask 10.01 300 volume 5000
         quote last 10.00 bid 9.99 500 ask 10.01 300 volume 5000
         sell b 2 100 10.00
         -> b P2 accepted
         quote last 10.00 bid 9.99 500 ask 10.01 300 volume 6000
         quote last 9.99 bid 9.98 500 ask 10.01 300 volume 6060
         -> a P1-1 filled 30 at 10.00",
    );
}

#[test]
fn where_prints_are_told_the_volume_of_quotes_tells_nothing() {
    check(
        CALM,
        "quote last 10.01 bid 10.00 500 ask 10.01 300 volume 1000
         buy a 1 100 10.00
         -> a P1 accepted
         print 10.00 40 sell
         -> a P1-1 filled 40 at 10.00
         quote last 10.00 bid 10.00 460 ask 10.01 300 volume 1040",
    );
}

#[test]
fn at_the_limit_price_an_order_waits_behind_all_that_is_shown_there() {
    check(
        QUEUED,
        "quote last 11.00 bid 11.00 500 volume 1000
         buy a 1 100 11.00 band 9.00 11.00
         -> a P1 accepted
         quote last 11.00 bid 11.00 100 volume 1400
         quote last 11.00 bid 11.00 100 volume 1550
         -> a P1-1 filled 50 at 11.00
         quote last 10.98 bid 10.98 100 ask 10.99 50 volume 1600
         -> a P1-2 filled 50 at 11.00",
    );
}

#[test]
fn an_order_at_the_limit_price_whose_queue_nobody_showed_gets_nothing_until_the_market_goes_through() {
    check(
        QUEUED,
        "print 11.00 500 buy
         buy a 1 100 11.00 band 9.00 11.00
         -> a P1 accepted
         print 11.00 50000 sell
         print 11.00 50000 sell
         bar 11.00 11.00 11.00 11.00 90000
         bar 11.00 11.00 10.99 11.00 60
         -> a P1-1 filled 60 at 11.00",
    );
}

#[test]
fn a_bar_fills_what_its_extremes_went_through_and_takers_get_the_worse_of_open_and_close() {
    check(
        QUEUED,
        "bar 10.00 10.00 10.00 10.00 100
         buy a 1 100 market
         -> a P1 accepted
         buy b 2 50 9.98
         -> b P2 accepted
         buy c 3 50 9.97
         -> c P3 accepted
         buy d 4 50 10.02
         -> d P4 accepted
         sell e 5 30 10.05
         -> e P5 accepted
         bar 10.01 10.06 9.97 10.04 1000
         -> a P1-1 filled 100 at 10.04
         -> d P4-1 filled 50 at 10.02
         -> b P2-1 filled 50 at 9.98
         -> e P5-1 filled 30 at 10.05
         bar 10.04 10.04 10.04 10.04 0",
    );
}

#[test]
fn while_no_cancels_are_taken_an_order_works_on_and_is_taken_back_later() {
    check(
        QUEUED,
        "buy a 1 100 10.00
         -> a P1 accepted
         cancel a 1 unheard
         -> a 1 cancel rejected NotNow
         print 9.99 400 sell
         -> a P1-1 filled 100 at 9.99
         cancel a 1 unheard
         -> a 1 cancel rejected TooLate(Filled)
         cancel a 7 unheard
         -> a 7 cancel rejected UnknownOrder
         buy b 2 100 10.00
         -> b P2 accepted
         cancel b 2 unheard
         -> b 2 cancel rejected NotNow
         cancel b 2
         -> b 2 canceled 0
         buy c 3 100 10.00
         -> c P3 accepted
         cancel c 3 unheard
         -> c 3 cancel rejected NotNow
         end
         -> c 3 expired 0",
    );
}

#[test]
fn bars_share_their_volume_once() {
    check(
        QUEUED,
        "buy a 1 100 10.00
         -> a P1 accepted
         buy b 2 100 10.00
         -> b P2 accepted
         bar 9.99 9.99 9.98 9.98 130
         -> a P1-1 filled 100 at 9.99
         -> b P2-1 filled 30 at 9.99",
    );
}

#[test]
fn a_call_auction_collects_and_trades_once_at_its_recorded_price() {
    check(
        QUEUED,
        "collect opening
         buy a 1 100 10.05
         -> a P1 accepted
         buy b 2 100 10.00
         -> b P2 accepted
         quote last 9.90 bid 10.02 500 ask 10.02 500
         print 9.95 700 sell
         sell c 3 100 9.90
         -> c P3 accepted
         buy d 4 100 10.01
         -> d P4 accepted
         print 10.00 250 auction
         -> a P1-1 filled 100 at 10.00
         -> c P3-1 filled 100 at 10.00
         -> d P4-1 filled 50 at 10.00
         continue
         buy e 5 100 10.10
         -> e P5 accepted
         quote last 10.00 bid 9.99 500 ask 10.00 120
         -> e P5-1 filled 100 at 10.00
         -> d P4-2 filled 20 at 10.00",
    );
}

#[test]
fn where_only_prints_are_told_they_are_the_market_after_an_auction_too() {
    check(
        CALM,
        "collect
         quote last 10.00
         continue
         buy a 1 100 9.99
         -> a P1 accepted
         print 9.98 30 buy
         -> a P1-1 filled 30 at 9.98
         buy b 2 50 10.05
         -> b P2 accepted
         print 9.99 70 buy
         -> b P2-1 filled 50 at 9.99",
    );
}

#[test]
fn the_volume_of_the_first_tick_is_the_opening_auctions() {
    check(
        QUEUED,
        "collect opening
         buy a 1 100 10.05
         -> a P1 accepted
         quote last 10.02 bid 10.01 20 ask 10.02 30 volume 60
         -> a P1-1 filled 60 at 10.02
         continue
         quote last 10.02 bid 10.01 20 ask 10.02 30 volume 60
         -> a P1-2 filled 30 at 10.02
         collect
         quote last 10.03 bid 10.04 20 ask 10.04 30 volume 60
         bar 10.04 10.04 10.04 10.04 5
         -> a P1-3 filled 5 at 10.04",
    );
}

#[test]
fn the_mainlands_day_ends_without_the_others_and_an_order_abroad_works_through_two_of_its_ends() {
    let mut venue = PaperVenue::new(CALM);
    let abroad = |text| Symbol::parse(text).expect("a symbol");
    let (tencent, apple) = (abroad("700.HK"), abroad("AAPL.US"));
    let mut told = |input| {
        let mut out = Vec::new();
        venue.handle(Timestamp::default(), input, &mut out);
        out.iter().map(show).collect::<Vec<_>>()
    };
    for (line, symbol) in
        [("buy a 1 100 10.00", tencent), ("buy a 2 100 10.00", apple), ("buy a 3 100 10.00", symbol())]
    {
        told(VenueInput::New(VenueOrder { symbol, ..order(line, Qty::ZERO) }));
    }
    assert_eq!(told(VenueInput::End(DayEnd::Mainland)), ["-> a 3 expired 0"]);
    assert_eq!(told(VenueInput::End(DayEnd::Abroad(Exchange::HK))), ["-> a 1 expired 0"]);
    assert!(told(VenueInput::End(DayEnd::Mainland)).is_empty());
    let print = Print {
        symbol: apple,
        at: Timestamp::default(),
        price: px("9.99"),
        qty: Qty::new(100),
        aggressor: Aggressor::Sell,
    };
    assert_eq!(told(VenueInput::Print(&print)), ["-> a P2-1 filled 100 at 9.99"]);
    assert_eq!(
        told(VenueInput::Cancel { account: account("a"), order: OrderId::new(2), taken: true }),
        ["-> a 2 cancel rejected TooLate(Filled)"]
    );
}

#[test]
fn a_subscription_meets_no_market_stays_is_the_only_one_of_its_account_and_ends_with_the_day() {
    check(
        CALM,
        "quote bid 9.90 500 ask 10.00 300
         buy a 1 500 10.00 subscription
         -> a P1 accepted
         buy b 2 500 10.00 ioc subscription
         -> b P2 accepted
         buy a 3 500 10.00 subscription
         -> a 3 rejected AlreadySubscribed
         print 9.00 10000 sell
         quote bid 8.00 500 ask 8.10 300
         bar 8.00 8.00 7.00 7.50 100000
         cancel a 1
         -> a 1 cancel rejected Subscription
         buy c 4 100 8.00
         -> c P4 accepted
         end
         -> a 1 expired 0
         -> b 2 expired 0
         -> c 4 expired 0
         cancel a 1
         -> a 1 cancel rejected TooLate(Expired)
         buy a 5 500 10.00 subscription
         -> a P5 accepted",
    );
}

#[test]
fn a_restored_subscription_is_still_the_only_one_and_stays() {
    let mut venue = PaperVenue::new(CALM);
    venue.restore(order("buy a 1 500 10.00 ioc subscription", Qty::ZERO), BrokerOrderId("P1".into()), 0);
    let story = "quote bid 9.90 500 ask 9.95 300
         print 9.00 10000 sell
         buy a 2 500 10.00 subscription
         -> a 2 rejected AlreadySubscribed
         cancel a 1
         -> a 1 cancel rejected Subscription
         end
         -> a 1 expired 0";
    assert_eq!(play(&mut venue, story), lines(story));
}

#[test]
fn ten_thousand_accounts_share_one_print() {
    let mut venue = PaperVenue::new(CALM);
    let mut out = Vec::new();
    for number in 1..=10_000_u64 {
        let order = order(&format!("buy a{number} {number} 100 10.00"), Qty::ZERO);
        venue.handle(Timestamp::default(), VenueInput::New(order), &mut out);
    }
    out.clear();
    let qty = Qty::new(654_321);
    let print =
        Print { symbol: symbol(), at: Timestamp::default(), price: px("10.00"), qty, aggressor: Aggressor::Sell };
    venue.handle(Timestamp::default(), VenueInput::Print(&print), &mut out);
    assert_eq!(out.len(), 6_544);
    assert_eq!(show(&out[0]), "-> a1 P1-1 filled 100 at 10.00");
    assert_eq!(show(&out[6_543]), "-> a6544 P6544-1 filled 21 at 10.00");
}

/// Plays the lines that have no arrow, and compares what comes out with the lines that have one.
#[track_caller]
fn check(conf: VenueConf, story: &str) {
    assert_eq!(play(&mut PaperVenue::new(conf), story), lines(story));
}

fn lines(story: &str) -> Vec<String> {
    story.lines().map(|line| line.trim().to_owned()).collect()
}

fn play(venue: &mut PaperVenue, story: &str) -> Vec<String> {
    let mut told = Vec::new();
    for line in lines(story).into_iter().filter(|line| !line.starts_with("->")) {
        let mut out = Vec::new();
        let words: Vec<&str> = line.split(' ').collect();
        let at = Timestamp::default();
        let after = |name: &str, n: usize| Some(*words.get(words.iter().position(|word| *word == name)? + n)?);
        match words[0] {
            "quote" => {
                let size = |name| after(name, 2).and_then(|word| word.parse().ok()).map(Qty::new);
                let quote = Quote {
                    symbol: symbol(),
                    last: after("last", 1).map_or(Price::ZERO, px),
                    bid: after("bid", 1).map(px),
                    ask: after("ask", 1).map(px),
                    bid_size: size("bid"),
                    ask_size: size("ask"),
                    volume: after("volume", 1).map(qty),
                    prev_close: None,
                    at,
                };
                venue.handle(at, VenueInput::Quote(&quote), &mut out);
            }
            "print" => {
                let (price, qty) = (px(words[1]), qty(words[2]));
                let aggressor = words[3].parse().expect("an aggressor");
                let print = Print { symbol: symbol(), at, price, qty, aggressor };
                venue.handle(at, VenueInput::Print(&print), &mut out);
            }
            "bar" => {
                let [open, high, low, close] = [1, 2, 3, 4].map(|n| px(words[n]));
                let bar = Bar { symbol: symbol(), at, open, high, low, close, volume: qty(words[5]) };
                venue.handle(at, VenueInput::Bar(&bar), &mut out);
            }
            "collect" => {
                let opening = words.contains(&"opening");
                venue.handle(at, VenueInput::Collect { symbol: symbol(), opening }, &mut out);
            }
            "continue" => venue.handle(at, VenueInput::Continue { symbol: symbol() }, &mut out),
            "cancel" => {
                let order = OrderId::new(words[2].parse().expect("a number"));
                let taken = !words.contains(&"unheard");
                venue.handle(at, VenueInput::Cancel { account: account(words[1]), order, taken }, &mut out);
            }
            "end" => venue.handle(at, VenueInput::End(DayEnd::Mainland), &mut out),
            _ => venue.handle(at, VenueInput::New(order(&line, Qty::ZERO)), &mut out),
        }
        told.push(line);
        told.extend(out.iter().map(show));
    }
    told
}

/// `buy a 1 100 10.00 [ioc] [band 9.00 11.00] [subscription]`; `market` or `none` stand in the place of the price.
fn order(line: &str, cum_qty: Qty) -> VenueOrder {
    let words: Vec<&str> = line.split(' ').collect();
    let band = words.iter().position(|word| *word == "band");
    VenueOrder {
        account: account(words[1]),
        order: OrderId::new(words[2].parse().expect("a number")),
        symbol: symbol(),
        side: words[0].parse().expect("a side"),
        ord_type: if words[4] == "market" { OrdType::Market } else { OrdType::Limit },
        limit_price: Price::parse(words[4]).ok(),
        qty: qty(words[3]),
        tif: if words.contains(&"ioc") { TimeInForce::Ioc } else { TimeInForce::Day },
        cum_qty,
        band: band.map(|at| (px(words[at + 1]), px(words[at + 2]))),
        subscription: words.contains(&"subscription"),
    }
}

fn show(event: &VenueEvent) -> String {
    match event {
        VenueEvent::Accepted { account, broker_order_id, .. } => format!("-> {account} {broker_order_id} accepted"),
        VenueEvent::Rejected { account, order, reason } => format!("-> {account} {} rejected {reason:?}", order.get()),
        VenueEvent::Filled { account, exec_id, qty, px, .. } => format!("-> {account} {exec_id} filled {qty} at {px}"),
        VenueEvent::Canceled { account, order, cum_qty } => format!("-> {account} {} canceled {cum_qty}", order.get()),
        VenueEvent::CancelRejected { account, order, reason } => {
            format!("-> {account} {} cancel rejected {reason:?}", order.get())
        }
        VenueEvent::Expired { account, order, cum_qty } => format!("-> {account} {} expired {cum_qty}", order.get()),
    }
}

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn account(text: &str) -> AccountId {
    AccountId::parse(text).expect("a name")
}

fn px(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn qty(text: &str) -> Qty {
    Qty::new(text.parse().expect("a number"))
}
