//! Cards of fills.

use signalbox_brokers::fake::fault::Fault;
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::Level::{L0, L1, L2, L4};
use signalbox_domain::broker::Report;

use super::{Card, Stage, Verdict, canceled, card, hold};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("TC-F01", "a fill at once is told", L1..=L4, |s| Box::pin(at_once(s))),
        card("TC-F02", "two parts are two fills", L1..=L4, |s| Box::pin(parts(s))),
        card("TC-F03", "a fill is told when it happens", L1..=L4, |s| Box::pin(later(s))),
        card("TC-F04", "a fill before its acknowledgement is not lost", L1..=L4, |s| Box::pin(early(s))),
        card("TC-F05", "a fill that is told twice has one number", L1..=L4, |s| {
            Box::pin(by(s, Fault::FillDuplicate, 200))
        }),
        card("TC-F06", "fills in the wrong order are all told", L1..=L4, |s| Box::pin(reordered(s))),
        card("TC-F07", "a fill that comes after the cancel is told", L1..=L4, |s| Box::pin(after_cancel(s))),
        card("TC-F08", "more than was ordered is told as it is", L1..=L4, |s| {
            Box::pin(by(s, Fault::FillMoreThanQty, 300))
        }),
        card("TC-F09", "a fill without a price is no fill", L1..=L4, |s| Box::pin(priceless(s))),
        card("TC-F10", "a fill that is taken back ends no session", L1..=L4, |s| Box::pin(busted(s))),
        card("TC-F11", "at L0 nothing is told unasked", L0..=L0, |s| Box::pin(silence(s))),
        card("TC-F12", "the price and the time are the broker's", L1..=L4, |s| Box::pin(exact(s))),
        card("TC-F13", "a listener that is dropped loses nothing", L1..=L4, |s| Box::pin(dropped(s))),
        card("TC-F14", "a new session hears what it missed by its mark", L2..=L4, |s| Box::pin(missed(s))),
    ]
}

async fn at_once(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::AtOnce).await?;
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == 200).await;
    hold(s.filled(order) == 200, &s.heard)
}

async fn parts(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Partly { percent: 50, ms: Some(30) }).await?;
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == 200).await;
    let fills = s.heard_of(order, |what| matches!(what, Report::Filled { .. }));
    hold((s.filled(order), fills) == (200, 2), &s.heard)
}

async fn later(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    s.listen().await;
    hold(s.filled(order) == 0, &s.heard)?;
    s.fill(order).await?;
    s.hears(|s| s.filled(order) == 200).await;
    hold(s.filled(order) == 200, &s.heard)
}

async fn early(s: &mut Stage) -> Verdict {
    s.arm(Fault::FillBeforeAck).await?;
    by(s, Fault::SubmitReplyTwice, 200).await
}

/// With a fault, so much is filled of one order.
async fn by(s: &mut Stage, fault: Fault, qty: i64) -> Verdict {
    s.arm(fault).await?;
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == qty).await;
    hold(s.filled(order) == qty && s.number(order).is_some(), &s.heard)
}

async fn reordered(s: &mut Stage) -> Verdict {
    s.arm(Fault::FillReordered).await?;
    parts(s).await
}

async fn after_cancel(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    s.arm(Fault::FillAfterCancel).await?;
    s.cancel(order).await;
    s.hears(|s| s.filled(order) == 100).await;
    hold(s.filled(order) == 100 && s.heard_of(order, canceled) >= 1, &s.heard)
}

async fn priceless(s: &mut Stage) -> Verdict {
    s.arm(Fault::FillPriceZero).await?;
    let (order, _) = s.buy().await;
    s.listen().await;
    let bad = s.heard_of(order, |what| matches!(what, Report::Filled { px, .. } if !px.is_positive()));
    hold(bad == 0, &s.heard)?;
    s.find(order).await;
    hold(s.filled(order) == 200, &s.heard)
}

async fn busted(s: &mut Stage) -> Verdict {
    s.arm_for(Fault::FillBusted, 20).await?;
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == 200).await;
    hold(s.filled(order) == 200, &s.heard)?;
    let (next, _) = s.buy().await;
    s.hears(|s| s.filled(next) == 200).await;
    hold(s.filled(next) == 200, &s.heard)
}

async fn silence(s: &mut Stage) -> Verdict {
    s.buy().await;
    let said = s.listen().await;
    hold(said.is_empty(), said)
}

async fn exact(s: &mut Stage) -> Verdict {
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == 200).await;
    let right = s.heard.iter().any(|report| match &report.what {
        Report::Filled { px, at, .. } => {
            let since = at.since(crate::desk::monday_morning()).us();
            report.order == order && px.e4() == 100_000 && (0..60_000_000).contains(&since)
        }
        _ => false,
    });
    hold(right, &s.heard)
}

async fn dropped(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Partly { percent: 50, ms: Some(40) }).await?;
    let (order, _) = s.buy().await;
    for _ in 0..400 {
        if let Ok(Ok(said)) = tokio::time::timeout(std::time::Duration::from_millis(1), s.broker.next()).await {
            s.heard.extend(said);
        }
    }
    hold(s.filled(order) == 200, &s.heard)
}

async fn missed(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    s.fill(order).await?;
    s.anew().await?;
    s.heard.clear();
    s.find(order).await;
    s.hears(|s| s.filled(order) == 200).await;
    hold(s.filled(order) == 200, &s.heard)
}
