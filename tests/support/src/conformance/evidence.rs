//! Cards of doubt, and of sessions that end.

use signalbox_brokers::fake::fault::Fault;
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::Level::{L0, L1, L2, L4};
use signalbox_domain::broker::Report;
use signalbox_domain::ids::SignalId;

use super::{Card, Miss, QUIET, Stage, Verdict, accepted, card, hold, is_lost};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("TC-D01", "a lookup tells the same number", L1..=L4, |s| Box::pin(known(s))),
        card("TC-D02", "an unknown id: not found at L4, lost elsewhere", L0..=L4, |s| Box::pin(unknown(s))),
        card("TC-D03", "a lost reply is found by its mark", L2..=L4, |s| Box::pin(found(s))),
        card("TC-D04", "without a mark a lost reply stays lost", L0..=L1, |s| Box::pin(unfound(s))),
        card("TC-D05", "a lookup's fills have the numbers of the told ones", L1..=L4, |s| Box::pin(same_fills(s))),
        card("TC-D06", "a list that cannot be read proves nothing", L1..=L2, |s| Box::pin(unreadable(s))),
        card("TC-D07", "orders that lag behind trades prove nothing", L1..=L2, |s| Box::pin(lagging(s))),
        card("TC-S01", "a broker that died is reached again", L1..=L4, |s| Box::pin(died(s))),
        card("TC-S02", "opening twice tells nothing twice", L1..=L4, |s| Box::pin(opened_twice(s))),
        card("TC-S03", "a call that is dropped is told unasked", L2..=L4, |s| Box::pin(dropped(s))),
    ]
}

async fn known(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    let first = s.number(order);
    let said = s.find(order).await;
    hold(said.len() == 1 && accepted(&said[0]) && s.number(order) == first, said)
}

async fn unknown(s: &mut Stage) -> Verdict {
    let said = s.find(SignalId::new(4_711).parent(0).order(1)).await;
    let right = match s.level() {
        L4 => matches!(said[..], [Report::NotFound]),
        _ => matches!(said[..], [Report::Lost { .. }]),
    };
    hold(right, said)
}

async fn found(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitAcceptNoReply).await?;
    let (order, _) = s.buy().await;
    s.anew().await?;
    let said = s.find(order).await;
    hold(accepted(&said[0]) && s.filled(order) == 200, said)
}

async fn unfound(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitAcceptNoReply).await?;
    let (order, _) = s.buy().await;
    let said = s.find(order).await;
    is_lost(&said)
}

async fn same_fills(s: &mut Stage) -> Verdict {
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == 200).await;
    hold(s.filled(order) == 200, &s.heard)?;
    s.find(order).await;
    hold(s.filled(order) == 200, &s.heard)
}

async fn unreadable(s: &mut Stage) -> Verdict {
    let (order, _) = s.buy().await;
    s.arm(Fault::ListEmptyOnFailure).await?;
    let said = s.find(order).await;
    is_lost(&said)
}

async fn lagging(s: &mut Stage) -> Verdict {
    let (order, _) = s.buy().await;
    s.arm(Fault::ListCumLags).await?;
    let said = s.find(order).await;
    is_lost(&said)
}

async fn died(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.buy().await;
    if !s.harness.restart().await {
        return Err(Miss::Skipped);
    }
    // Unless its next question met the broker that came back: then it heard nothing of the end.
    let _ = tokio::time::timeout(QUIET, async { while s.broker.next().await.is_ok() {} }).await;
    // Each try may meet a connection that the dead broker left: there is one of the calls and one of the listener.
    for _ in 0..2 {
        if s.reconnect().await.is_ok() {
            break;
        }
    }
    s.reconnect().await?;
    s.fill(order).await?;
    s.hears(|s| s.filled(order) == 200).await;
    hold(s.filled(order) == 200 && s.orders().await?.len() == 1, &s.heard)
}

async fn opened_twice(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::AtOnce).await?;
    let (order, _) = s.buy().await;
    s.hears(|s| s.filled(order) == 200).await;
    s.reconnect().await?;
    let said = s.listen().await;
    hold(s.filled(order) == 200 && said.is_empty(), said)
}

async fn dropped(s: &mut Stage) -> Verdict {
    s.arm_for(Fault::SubmitReplyLate, 4_000).await?;
    let short = std::time::Duration::from_millis(500);
    hold(tokio::time::timeout(short, s.buy()).await.is_err(), "dropped half-way")?;
    let order = SignalId::new(1).parent(0).order(1);
    s.hears(|s| s.filled(order) == 200 && s.number(order).is_some()).await;
    hold(s.filled(order) == 200 && s.number(order).is_some(), &s.heard)
}
