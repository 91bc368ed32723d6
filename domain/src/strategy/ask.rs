//! A leg whose policy asks a person stands among what waits for people until it has ended.

use std::sync::Arc;

use super::{NOBODY, StrategyEffects};
use crate::event::Event;
use crate::parent::Parent;
use crate::reconcile::exception::{Decision, Evidence, Exception, ExceptionKind};
use crate::row::Row;
use crate::units::Timestamp;

/// What became of the leg, `before` and now, is told where people look.
pub(super) fn tell_people(at: Timestamp, before: &Parent, now: &Parent, fx: &mut StrategyEffects) {
    let Some((opened_at, exception)) = asked(now) else { return };
    let opens = asked(before).is_none();
    let ends = now.status.is_final() && !before.status.is_final();
    if !opens && !ends {
        return;
    }
    let decision = now.status.is_final().then(|| Decision {
        what: <&str>::from(now.status).into(),
        by: NOBODY.into(),
        note: "the leg has ended".into(),
        at,
    });
    let exception = Arc::new(Exception { opened_at, updated_at: at, decision, ..exception });
    fx.events.push(Event::Exception(exception.clone()));
    fx.rows.push(Row::Exception(exception));
}

fn asked(parent: &Parent) -> Option<(Timestamp, Exception)> {
    let progress = parent.progress.as_ref()?;
    let (at, why) = progress.asked_first?;
    let why: &str = why.into();
    let text = format!("the policy of {} asks a person: {why}; what works stays", parent.leg.parent);
    let exception = Exception {
        account: parent.leg.account.clone(),
        key: format!("asked:{}", parent.leg.parent).into(),
        kind: ExceptionKind::Asked,
        order: None,
        opened_at: at,
        updated_at: at,
        evidence: Evidence { text: text.into(), ..Evidence::default() },
        decision: None,
    };
    Some((at, exception))
}
