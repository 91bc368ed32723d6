//! Cards of lists: an adapter reports what it saw, and what it could not read is no list.

use signalbox_brokers::fake::fault::Fault;
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::Level::{L0, L1, L4};
use signalbox_domain::broker::{ListedStatus, Snapshot};
use signalbox_domain::units::{Money, Qty};

use super::{Card, Miss, Stage, Verdict, card, hold};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("TC-L01", "the lists show orders, trades, positions, cash", L1..=L4, |s| Box::pin(plain(s))),
        card("TC-L02", "an empty answer is no empty list", L1..=L4, |s| Box::pin(fails(s, Fault::ListEmptyOnFailure))),
        card("TC-L03", "another list is not the one asked for", L1..=L4, |s| Box::pin(fails(s, Fault::ListPrevious))),
        card("TC-L04", "a list with rows missing is not complete", L1..=L4, |s| Box::pin(truncated(s))),
        card("TC-L05", "yesterday's list is not today's", L1..=L4, |s| Box::pin(fails(s, Fault::ListYesterday))),
        card("TC-L06", "another account's list is not ours", L1..=L4, |s| Box::pin(fails(s, Fault::ListOtherAccount))),
        card("TC-L07", "rows that come twice are reported twice", L1..=L4, |s| Box::pin(doubled(s))),
        card("TC-L08", "an unknown status is unknown", L1..=L4, |s| Box::pin(unknown(s))),
        card("TC-L09", "columns are read by their names", L1..=L4, |s| Box::pin(same(s, Fault::ListColumnsSwapped))),
        card("TC-L10", "1,000.00 is a thousand", L1..=L4, |s| Box::pin(thousands(s))),
        card("TC-L11", "a time without a date is today's", L1..=L4, |s| Box::pin(same(s, Fault::ListTimeWithoutDate))),
        card("TC-L12", "a working buy holds cash", L1..=L4, |s| Box::pin(held(s))),
        card("TC-L13", "one code on two exchanges is two positions", L1..=L4, |s| Box::pin(two_exchanges(s))),
        card("TC-L14", "at L0 there are no lists", L0..=L0, |s| Box::pin(none(s))),
        card("TC-L15", "a read does not come from a cache", L1..=L4, |s| Box::pin(fresh(s))),
    ]
}

async fn read(s: &mut Stage) -> Result<Snapshot, Miss> {
    if !s.broker.capabilities().lists {
        return Err(Miss::Skipped);
    }
    s.read().await.map_err(Miss::Failed)
}

async fn plain(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::AtOnce).await?;
    let (order, _) = s.buy().await;
    let seen = read(s).await?;
    hold(seen.complete && seen.orders.len() == 1 && seen.trades.len() == 1, &seen)?;
    hold(Some(&seen.orders[0].no) == s.number(order).as_ref() && seen.orders[0].cum_qty == Qty::new(200), &seen)?;
    hold(seen.positions[0].qty == Qty::new(1_200), &seen)?;
    hold(seen.cash.as_ref().is_some_and(|cash| cash.total == Money::from_units(998_000)), seen)
}

async fn fails(s: &mut Stage, fault: Fault) -> Verdict {
    s.buy().await;
    read(s).await?;
    s.arm(fault).await?;
    hold(s.read().await.is_err(), "was read")?;
    read(s).await.map(|_| ())
}

async fn truncated(s: &mut Stage) -> Verdict {
    read(s).await?;
    for _ in 0..101 {
        s.buy().await;
    }
    s.arm(Fault::ListTruncated).await?;
    let seen = read(s).await?;
    hold(!seen.complete && seen.orders.len() == 100, seen.orders.len())?;
    hold(read(s).await?.complete, "complete again")
}

async fn doubled(s: &mut Stage) -> Verdict {
    s.buy().await;
    read(s).await?;
    s.arm(Fault::ListDuplicateRows).await?;
    let seen = read(s).await?;
    hold(seen.orders.len() == 2, seen)
}

async fn unknown(s: &mut Stage) -> Verdict {
    s.buy().await;
    read(s).await?;
    s.arm(Fault::ListStatusUnknown).await?;
    let seen = read(s).await?;
    hold(seen.orders[0].status == ListedStatus::Unknown && seen.orders[0].cum_qty == Qty::new(200), seen)
}

/// With the fault the lists say the same as without.
async fn same(s: &mut Stage, fault: Fault) -> Verdict {
    s.buy().await;
    let before = read(s).await?;
    s.arm(fault).await?;
    let seen = read(s).await?;
    hold(seen.orders == before.orders && seen.trades == before.trades && seen.positions == before.positions, seen)
}

async fn thousands(s: &mut Stage) -> Verdict {
    s.buy().await;
    let before = read(s).await?;
    for _ in 0..3 {
        s.arm(Fault::ListThousands).await?; // three of the four lists: a fault strikes one
    }
    let seen = read(s).await?;
    hold((seen.orders, seen.positions) == (before.orders, before.positions), "other numbers")
}

async fn held(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    s.buy().await;
    let cash = read(s).await?.cash;
    let right = cash.as_ref().is_some_and(|cash| cash.total - cash.available == Money::from_units(2_000));
    hold(right, cash)
}

async fn two_exchanges(s: &mut Stage) -> Verdict {
    read(s).await?;
    s.arm(Fault::SameCodeTwoExchanges).await?;
    let seen = read(s).await?;
    hold(seen.positions.len() == 2 && seen.positions[0].symbol != seen.positions[1].symbol, seen)
}

async fn none(s: &mut Stage) -> Verdict {
    hold(s.read().await.is_err() && !s.broker.capabilities().lists, "was read")
}

async fn fresh(s: &mut Stage) -> Verdict {
    hold(read(s).await?.orders.is_empty(), "nothing yet")?;
    s.buy().await;
    hold(read(s).await?.orders.len() == 1, "the new order")
}
