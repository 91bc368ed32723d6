//! Cards of order entry.

use signalbox_brokers::fake::fault::Fault;
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::Level::{L0, L1, L2, L3, L4};
use signalbox_domain::broker::Report;
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::units::{Price, Qty};

use super::{Card, Stage, Verdict, accepted, canceled, card, hold, installation, is_lost, rejected};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("TC-E01", "an order is acknowledged with its number", L1..=L4, |s| Box::pin(acknowledged(s))),
        card("TC-E02", "without a number nothing is certain", L0..=L0, |s| Box::pin(unacknowledged(s))),
        card("TC-E03", "the broker makes what was asked", L0..=L4, |s| Box::pin(as_asked(s))),
        card("TC-E04", "a market order has no price", L0..=L4, |s| Box::pin(market(s))),
        card("TC-E05", "no cash: refused, and no order", L0..=L4, |s| Box::pin(refused(s, Side::Buy))),
        card("TC-E06", "no shares: refused, and no order", L0..=L4, |s| Box::pin(refused(s, Side::Sell))),
        card("TC-E07", "the order bears our mark", L2..=L4, |s| Box::pin(marked(s))),
        card("TC-E08", "the same id again is the same order", L3..=L4, |s| Box::pin(again(s))),
        card("TC-E09", "accepted, no reply: lost", L0..=L4, |s| Box::pin(lost_by(s, Fault::SubmitAcceptNoReply, 1))),
        card("TC-E10", "a reply that is late: lost, and told unasked", L2..=L4, |s| Box::pin(late(s))),
        card("TC-E11", "acknowledged twice is one order", L1..=L4, |s| Box::pin(twice(s))),
        card("TC-E12", "-1 is no refusal", L0..=L4, |s| Box::pin(lost_by(s, Fault::SubmitErrorButLive, 1))),
        card("TC-E13", "a success that is none is found out", L4..=L4, |s| Box::pin(nothing(s))),
        card("TC-E14", "success without a number: lost", L0..=L4, |s| {
            Box::pin(lost_by(s, Fault::SubmitSuccessNoNumber, 1))
        }),
        card("TC-E15", "a misread number: lost", L0..=L4, |s| Box::pin(lost_by(s, Fault::SubmitNumberMisread, 1))),
        card("TC-E16", "another order's number: lost", L2..=L4, |s| Box::pin(another(s))),
        card("TC-E17", "two orders under one mark: lost", L2..=L2, |s| Box::pin(two_marked(s))),
        card("TC-E18", "a ghost: lost, and made at the next session", L0..=L4, |s| Box::pin(ghost(s))),
        card("TC-E19", "queued: lost, and told unasked", L2..=L4, |s| Box::pin(queued(s, Fault::SubmitQueued))),
        card("TC-E20", "an expired session is opened again", L0..=L4, |s| Box::pin(expired(s))),
        card("TC-E21", "a captcha: lost", L0..=L4, |s| Box::pin(lost_by(s, Fault::SubmitCaptcha, 0))),
        card("TC-E22", "an unknown dialog: lost", L0..=L4, |s| Box::pin(lost_by(s, Fault::SubmitUnknownDialog, 0))),
        card("TC-E23", "too fast: refused, and no order", L0..=L4, |s| Box::pin(flow(s))),
        card("TC-E24", "held back in silence: lost, and told unasked", L2..=L4, |s| {
            Box::pin(queued(s, Fault::SubmitFlowDelay))
        }),
        card("TC-E25", "a hung terminal: lost, and made afterwards", L0..=L4, |s| Box::pin(hung(s))),
        card("TC-E26", "junk after the acknowledgement: refused", L1..=L4, |s| Box::pin(junk(s))),
        card("TC-E27", "an immediate order does not rest", L1..=L4, |s| Box::pin(immediate(s))),
        card("TC-E28", "another side under our mark: not ours", L2..=L4, |s| {
            Box::pin(altered(s, Fault::SubmitWrongSide))
        }),
        card("TC-E29", "fewer shares under our mark: not ours", L2..=L4, |s| {
            Box::pin(altered(s, Fault::SubmitQtyRounded))
        }),
        card("TC-E30", "another limit under our mark: not ours", L2..=L4, |s| {
            Box::pin(altered(s, Fault::SubmitPriceMoved))
        }),
    ]
}

async fn acknowledged(s: &mut Stage) -> Verdict {
    let (order, said) = s.buy().await;
    hold(said.iter().filter(|what| accepted(what)).count() == 1, &said)?;
    let number = s.number(order).map(|no| no.0.to_string());
    match s.harness.orders().await {
        Some(orders) => hold(orders.len() == 1 && Some(&orders[0].no) == number.as_ref(), (orders, number)),
        None => Ok(()),
    }
}

async fn unacknowledged(s: &mut Stage) -> Verdict {
    let (_, said) = s.buy().await;
    is_lost(&said)?;
    hold(s.orders().await?.len() == 1, "one order")
}

async fn as_asked(s: &mut Stage) -> Verdict {
    for side in [Side::Buy, Side::Sell] {
        s.order(side, 300, OrdType::Limit, TimeInForce::Day).await;
        let orders = s.orders().await?;
        let last = orders.last();
        let right = last.is_some_and(|order| {
            (order.side, order.qty, order.px) == (side, Qty::new(300), Some(Price::from_e4(100_000)))
                && order.symbol == crate::desk::symbol()
        });
        hold(right, last)?;
    }
    Ok(())
}

async fn market(s: &mut Stage) -> Verdict {
    s.order(Side::Buy, 100, OrdType::Market, TimeInForce::Day).await;
    let orders = s.orders().await?;
    hold(orders.len() == 1 && orders[0].px.is_none(), orders)
}

async fn refused(s: &mut Stage, side: Side) -> Verdict {
    s.orders().await?;
    let (_, said) = s.order(side, 10_000_000, OrdType::Limit, TimeInForce::Day).await;
    hold(matches!(said[..], [Report::Rejected { .. }]), &said)?;
    hold(s.orders().await?.is_empty(), "no order")
}

async fn marked(s: &mut Stage) -> Verdict {
    let (order, _) = s.buy().await;
    let mark = order.client_order_id(installation()).to_string();
    hold(s.orders().await?[0].hidden == mark, &mark)?;
    let Ok(read) = s.read().await else { return hold(false, "the lists cannot be read") };
    hold(read.orders[0].tag.as_deref() == Some(mark.as_str()), read.orders)
}

async fn again(s: &mut Stage) -> Verdict {
    let terms = s.terms(77, Side::Buy, 200, OrdType::Limit, TimeInForce::Day);
    s.send(terms.clone()).await;
    let first = s.number(terms.id);
    s.send(terms.clone()).await;
    hold(s.number(terms.id) == first && first.is_some(), "the same number")?;
    hold(s.orders().await?.len() == 1, "one order")
}

/// The reply proves nothing, and so many orders exist.
async fn lost_by(s: &mut Stage, fault: Fault, orders: usize) -> Verdict {
    s.arm(fault).await?;
    let (_, said) = s.buy().await;
    is_lost(&said)?;
    let made = s.orders().await?;
    hold(made.len() == orders, made)
}

async fn late(s: &mut Stage) -> Verdict {
    s.arm_for(Fault::SubmitReplyLate, 4_000).await?;
    let (order, said) = s.buy().await;
    is_lost(&said)?;
    s.hears(|s| s.number(order).is_some() && s.filled(order) == 200).await;
    hold(s.number(order).is_some() && s.filled(order) == 200, &s.heard)
}

async fn twice(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitReplyTwice).await?;
    let (order, _) = s.buy().await;
    s.listen().await;
    let mut numbers: Vec<_> = s
        .heard
        .iter()
        .filter_map(|report| match &report.what {
            Report::Accepted { broker_order_id } => Some(broker_order_id.clone()),
            _ => None,
        })
        .collect();
    numbers.dedup();
    hold(numbers.len() == 1 && s.filled(order) == 200, &s.heard)
}

async fn nothing(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitSuccessButNothing).await?;
    let (order, _) = s.buy().await;
    let said = s.find(order).await;
    hold(matches!(said[..], [Report::NotFound]), &said)?;
    hold(s.orders().await?.is_empty(), "no order")
}

async fn another(s: &mut Stage) -> Verdict {
    s.buy().await;
    s.arm(Fault::SubmitNumberOfAnother).await?;
    let (_, said) = s.buy().await;
    is_lost(&said)
}

async fn two_marked(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitPlacedTwice).await?;
    let (order, _) = s.buy().await;
    s.anew().await?;
    let said = s.find(order).await;
    is_lost(&said)?;
    hold(s.orders().await?.len() == 2, "two orders")
}

async fn ghost(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitGhost).await?;
    let (_, said) = s.buy().await;
    is_lost(&said)?;
    hold(s.orders().await?.is_empty(), "not yet")?;
    s.reconnect().await?;
    hold(s.orders().await?.len() == 1, "made")
}

async fn queued(s: &mut Stage, fault: Fault) -> Verdict {
    s.arm_for(fault, 60).await?;
    let (order, said) = s.buy().await;
    is_lost(&said)?;
    s.hears(|s| s.number(order).is_some() && s.filled(order) == 200).await;
    hold(s.number(order).is_some() && s.filled(order) == 200, &s.heard)
}

async fn expired(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitSessionExpired).await?;
    let (_, said) = s.buy().await;
    is_lost(&said)?;
    hold(s.broker.next().await.is_err(), "the session is told to be over")?;
    s.reconnect().await?;
    s.buy().await;
    hold(s.orders().await?.len() == 1, "one order")
}

async fn flow(s: &mut Stage) -> Verdict {
    s.arm(Fault::SubmitFlowReject).await?;
    let (_, said) = s.buy().await;
    hold(matches!(said[..], [Report::Rejected { .. }]), &said)?;
    hold(s.orders().await?.is_empty(), "no order")
}

async fn hung(s: &mut Stage) -> Verdict {
    s.arm_for(Fault::SubmitHung, 1_600).await?;
    let (_, said) = s.buy().await;
    is_lost(&said)?;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    hold(s.orders().await?.len() == 1, "one order")
}

async fn junk(s: &mut Stage) -> Verdict {
    s.arm_for(Fault::SubmitJunkAfterAck, 30).await?;
    let (order, _) = s.buy().await;
    s.hears(|s| s.heard_of(order, rejected) == 1).await;
    hold(s.heard_of(order, accepted) >= 1 && s.heard_of(order, rejected) == 1 && s.filled(order) == 0, &s.heard)
}

async fn immediate(s: &mut Stage) -> Verdict {
    s.fills(FillPolicy::Never).await?;
    let (order, _) = s.order(Side::Buy, 200, OrdType::Limit, TimeInForce::Ioc).await;
    s.hears(|s| s.heard_of(order, canceled) == 1).await;
    hold(s.heard_of(order, canceled) == 1, &s.heard)
}

/// What the broker made another order of may be acknowledged; nothing that becomes of it is told as ours, and the lists show it.
async fn altered(s: &mut Stage, fault: Fault) -> Verdict {
    s.arm(fault).await?;
    let (order, _) = s.buy().await;
    s.listen().await;
    let said = s.find(order).await;
    hold(matches!(said[..], [Report::Altered]), &said)?;
    hold(s.filled(order) == 0 && s.heard_of(order, canceled) == 0 && s.heard_of(order, rejected) == 0, &s.heard)?;
    let mark = order.client_order_id(installation()).to_string();
    let Ok(read) = s.read().await else { return hold(false, "the lists cannot be read") };
    let [row] = &read.orders[..] else { return hold(false, read.orders) };
    let asked = (Side::Buy, Qty::new(200), Some(Price::from_e4(100_000)));
    let shown = (row.side, row.qty, row.px);
    hold(row.tag.as_deref() == Some(mark.as_str()) && shown != asked && row.cum_qty == row.qty, row)
}
