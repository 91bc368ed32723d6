//! How patient an account is with its broker. The defaults suit a terminal on a desk; a drill scales them down.

use serde::Deserialize;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::units::Span;

use super::{ConfError, field, money};

/// Times in milliseconds; the meaning of each stands at [`DoubtConf`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDoubt {
    /// The account number that the broker shows beside its lists.
    fund_account: Option<String>,
    visibility_ms: Option<u64>,
    quiet_ms: Option<u64>,
    absent_after_ms: Option<u64>,
    blind_after_ms: Option<u64>,
    seen_within_ms: Option<u64>,
    id_lives_ms: Option<u64>,
    id_margin_ms: Option<u64>,
    read_in_doubt_ms: Option<u64>,
    read_every_ms: Option<u64>,
    compare_every_ms: Option<u64>,
    baseline_for_ms: Option<u64>,
    skew_ms: Option<u64>,
    auto_bind_max: Option<String>,
}

/// A day: whoever waits longer than that does not wait.
const MS_MAX: u64 = 86_400_000;

impl RawDoubt {
    pub(super) fn check(self, place: &str) -> Result<DoubtConf, ConfError> {
        let at = |name: &str| format!("{place}.{name}");
        let default = DoubtConf::default();
        let span = |name: &str, ms: Option<u64>, or: Span| match ms {
            None => Ok(or),
            Some(ms) if (1..=MS_MAX).contains(&ms) => Ok(Span::from_ms(ms as i64)),
            Some(_) => Err(field(at(name), "has to be from 1 to 86400000")),
        };
        Ok(DoubtConf {
            installation: None,
            fund_account: self.fund_account.map(Into::into),
            visibility: span("visibility_ms", self.visibility_ms, default.visibility)?,
            quiet: span("quiet_ms", self.quiet_ms, default.quiet)?,
            absent_after: span("absent_after_ms", self.absent_after_ms, default.absent_after)?,
            blind_after: span("blind_after_ms", self.blind_after_ms, default.blind_after)?,
            seen_within: span("seen_within_ms", self.seen_within_ms, default.seen_within)?,
            id_lives: span("id_lives_ms", self.id_lives_ms, default.id_lives)?,
            id_margin: span("id_margin_ms", self.id_margin_ms, default.id_margin)?,
            read_in_doubt: span("read_in_doubt_ms", self.read_in_doubt_ms, default.read_in_doubt)?,
            read_every: span("read_every_ms", self.read_every_ms, default.read_every)?,
            compare_every: span("compare_every_ms", self.compare_every_ms, default.compare_every)?,
            baseline_for: span("baseline_for_ms", self.baseline_for_ms, default.baseline_for)?,
            skew: span("skew_ms", self.skew_ms, default.skew)?,
            auto_bind_max: self.auto_bind_max.map(|text| money(at("auto_bind_max"), &text)).transpose()?,
        })
    }
}
