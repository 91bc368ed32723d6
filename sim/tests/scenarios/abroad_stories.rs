//! Stories of Hong Kong and New York, told in the time of China. In the week of 2025-03-03 New York trades from 22:30 to
//! 05:00.

use crate::stage::check;

stories! {
    a_share_in_hong_kong_is_bought_in_board_lots_and_sold_on_the_same_day: r#"
        given paper
        given account h cash 500000 in HKD
        given route s h
        09:40 quote 700.HK 500.00 bid 499.80 ask 500.00
        09:41 S1 buy 200 700.HK @ 500.00
        -> S1.1 warned ORDER_VALUE
        -> h: submit S1.1 buy 200 @ 500.00
        -> S1.1 accepted
        -> S1.1 filled 200 at 500.00, fee 135.50
        -> S1 done
        15:30 quote 700.HK 510.00 bid 510.00 ask 510.50
        15:31 S2 sell all 700.HK market
        -> h: submit S2.1 sell 200 market
        -> S2.1 accepted
        -> S2.1 filled 200 at 510.00, fee 138.21
        -> S2 done
        15:32 show h
        -> h: cash 501726.29 reserved 0.00
    "#;

    what_is_no_whole_board_lot_stays: r#"
        given paper
        given account h cash 500000 s 1810.HK 500 in HKD
        given route s h
        10:00 quote 1810.HK 50.00 bid 50.00 ask 50.05
        10:01 S1 sell all 1810.HK @ 50.00
        -> S1 planned: h sell 400; residual 100
        -> h: submit S1.1 sell 400 @ 50.00
        -> S1.1 accepted
        -> S1.1 filled 400 at 50.00, fee 27.10
        -> S1 done
        10:02 S2 buy 100 1810.HK @ 50.05
        -> S2.1 denied LOT_SIZE
        -> S2 denied LOT_SIZE
    "#;

    the_tick_in_hong_kong_depends_on_the_price: r#"
        given paper
        given account h cash 500000 in HKD
        given route s h
        10:00 quote 1810.HK 50.00 bid 49.95 ask 50.00
        10:01 S1 buy 200 1810.HK @ 49.97
        -> S1.1 denied TICK_SIZE
        -> S1 denied TICK_SIZE
        10:02 S2 buy 200 1810.HK @ 49.95
        -> h: submit S2.1 buy 200 @ 49.95
        -> S2.1 accepted
    "#;

    without_a_limit_of_the_day_the_collar_is_three_percent_wide: r#"
        given paper
        given account h cash 900000 in HKD
        given route s h
        10:00 quote 700.HK 500.00 bid 499.80 ask 500.00
        10:01 S1 buy 100 700.HK @ 515.50
        -> S1.1 denied PRICE_COLLAR
        -> S1 denied PRICE_COLLAR
        10:02 S2 buy 100 700.HK @ 515.00
        -> h: submit S2.1 buy 100 @ 515.00
        -> S2.1 accepted
        -> S2.1 filled 100 at 500.00, fee 67.75
        -> S2 done
    "#;

    an_order_in_hong_kong_outlives_the_mainlands_close_and_ends_with_its_own: r#"
        given paper
        given account h cash 500000 in HKD
        given route s h
        14:00 quote 700.HK 500.00 bid 499.80 ask 500.00
        14:01 S1 buy 100 700.HK @ 490.00
        -> h: submit S1.1 buy 100 @ 490.00
        -> S1.1 accepted
        15:30 quote 700.HK 490.00 bid 489.80 ask 490.20
        15:59 show h
        -> h: cash 500000.00 reserved 49066.40
        16:11 show h
        -> S1.1 expired
        -> S1 expired
        -> h: cash 500000.00 reserved 0.00
    "#;

    new_york_trades_single_shares_at_night: r#"
        given paper
        given account u cash 10000 in USD
        given route s u
        15:20 S1 buy 7 AAPL.US @ 240.00
        -> S1 waits for session, looks again at 22:30
        22:29 quote AAPL.US 239.50 bid 239.45 ask 239.55
        22:31 quote AAPL.US 239.50 bid 239.45 ask 239.55
        -> u: submit S1.1 buy 7 @ 240.00
        -> S1.1 accepted
        -> S1.1 filled 7 at 239.55, fee 0.42
        -> S1 done
    "#;

    money_of_another_currency_buys_nothing: r#"
        given paper
        given account a cash 1000000
        given route s a
        10:00 quote 700.HK 500.00 bid 499.80 ask 500.00
        10:01 S1 buy 100 700.HK @ 500.00
        -> S1.1 denied CURRENCY
        -> S1 denied CURRENCY
    "#;

    a_share_that_nobody_told_of_is_unknown: r#"
        given paper
        given account h cash 500000 in HKD
        given route s h
        10:01 S1 buy 100 9999.HK @ 100.00
        -> S1 denied INSTRUMENT_UNKNOWN
    "#;
}
