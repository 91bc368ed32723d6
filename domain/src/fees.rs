//! Stand-in until the market rules arrive.
use crate::units::{Money, Ratio};
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRules {
    pub commission: Ratio,
    pub commission_min: Money,
    pub stamp_duty_sell: Ratio,
    pub transfer_fee: Ratio,
}
