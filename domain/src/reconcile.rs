//! From what a broker lists to what may be believed of an order in doubt.

use crate::units::{Money, Span};

/// How patient an account is with its broker, and how much it dares. The times of a real broker are measured; tests
/// scale them down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtConf {
    /// How long it takes, 999 times of 1,000, until a new order stands in the broker's list.
    pub visibility: Span,
    /// Two reads that shall agree are at least so far apart.
    pub quiet: Span,
    /// An order is not proved absent sooner; see also [`DoubtConf::visibility`].
    pub absent_after: Span,
    /// Without any valid read for so long a doubt is a person's.
    pub blind_after: Span,
    /// An order that the broker acknowledged stands in its list after so long at the latest.
    pub seen_within: Span,
    /// The broker enforces our ids for so long after a send (level L3).
    pub id_lives: Span,
    /// Between reads while a doubt is open.
    pub read_in_doubt: Span,
    /// Between reads otherwise.
    pub read_every: Span,
    /// Between comparisons of positions and cash with the books.
    pub compare_every: Span,
    /// How far the broker's clock may be behind ours.
    pub skew: Span,
    /// An order above this value is not bound without a person.
    pub auto_bind_max: Option<Money>,
}

impl Default for DoubtConf {
    fn default() -> Self {
        Self {
            visibility: Span::from_secs(10),
            quiet: Span::from_secs(3),
            absent_after: Span::from_secs(60),
            blind_after: Span::from_secs(120),
            seen_within: Span::from_secs(30),
            id_lives: Span::from_secs(600),
            read_in_doubt: Span::from_secs(10),
            read_every: Span::from_secs(60),
            compare_every: Span::from_secs(300),
            skew: Span::from_secs(5),
            auto_bind_max: None,
        }
    }
}
