//! Cards of cancels.

use signalbox_brokers::fake::fault::Fault;
use signalbox_brokers::fake::wire::{FillPolicy, Status};
use signalbox_domain::broker::Level::{L0, L1, L4};

use super::{Card, Stage, Verdict, cancel_rejected, canceled, card, hold, is_lost, lost};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("TC-C01", "a working order is canceled", L1..=L4, |s| Box::pin(plain(s))),
        card("TC-C02", "a filled order is not", L1..=L4, |s| Box::pin(filled(s))),
        card("TC-C03", "no reply: lost, and looked up as canceled", L1..=L4, |s| Box::pin(ack_lost(s))),
        card("TC-C04", "refused because it filled", L1..=L4, |s| Box::pin(filled_by(s, Fault::CancelRefusedFilled))),
        card("TC-C05", "taken, and filled all the same", L1..=L4, |s| {
            Box::pin(filled_by(s, Fault::CancelAcceptedButFilled))
        }),
        card("TC-C06", "the neighbour is canceled: ours is not", L1..=L4, |s| Box::pin(neighbour(s))),
        card("TC-C07", "taken and ignored: lost", L1..=L4, |s| Box::pin(ignored(s))),
        card("TC-C08", "without a number there is no cancel", L0..=L0, |s| Box::pin(numberless(s))),
        card("TC-C09", "what was filled before stays filled", L1..=L4, |s| Box::pin(partly(s))),
    ]
}

async fn plain(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    let said = s.cancel(order).await;
    hold(said.iter().any(canceled) && !said.iter().any(lost), &said)?;
    match s.harness.orders().await {
        Some(orders) => hold(orders[0].status == Status::Canceled, orders),
        None => Ok(()),
    }
}

async fn filled(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::AtOnce).await?;
    let (order, _) = s.buy().await;
    let said = s.cancel(order).await;
    hold(said.iter().any(cancel_rejected) && !said.iter().any(canceled), &said)?;
    hold(s.filled(order) == 200, &s.heard)
}

async fn ack_lost(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    s.arm(Fault::CancelAckLost).await?;
    is_lost(&s.cancel(order).await)?;
    let said = s.find(order).await;
    hold(said.iter().any(canceled), said)
}

async fn filled_by(s: &mut Stage, fault: Fault) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    s.arm(fault).await?;
    let said = s.cancel(order).await;
    hold(said.iter().any(cancel_rejected) && !said.iter().any(canceled) && s.filled(order) == 200, said)
}

async fn neighbour(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (first, _) = s.buy().await;
    let (order, _) = s.buy().await;
    s.arm(Fault::CancelNeighbour).await?;
    let said = s.cancel(order).await;
    hold(said.iter().any(lost) && !said.iter().any(canceled), said)?;
    s.hears(|s| s.heard_of(first, canceled) == 1).await;
    hold(s.heard_of(first, canceled) == 1 && s.heard_of(order, canceled) == 0, &s.heard)
}

async fn ignored(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    s.arm(Fault::CancelIgnored).await?;
    let said = s.cancel(order).await;
    hold(said.iter().any(lost) && !said.iter().any(canceled), said)
}

async fn numberless(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    is_lost(&s.cancel(order).await)?;
    hold(s.orders().await?[0].status == Status::Working, "it works on")
}

async fn partly(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Partly { percent: 50, ms: None }).await?;
    let (order, _) = s.buy().await;
    let said = s.cancel(order).await;
    s.hears(|s| s.filled(order) == 100).await;
    hold(said.iter().any(canceled) && s.filled(order) == 100, &s.heard)
}
