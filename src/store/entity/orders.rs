//! One order, live or denied.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub signal_id: i64,
    pub parent_id: i64,
    pub account: String,
    pub strategy: String,
    pub source: String,
    pub symbol: String,
    pub side: String,
    pub ord_type: String,
    pub limit_price_e4: Option<i64>,
    pub time_in_force: String,
    pub qty: i64,
    pub valid_until_us: i64,
    pub approval: Option<String>,
    pub denials: Option<String>,
    pub status: String,
    pub reported: String,
    pub closed: bool,
    pub in_flight: Option<String>,
    pub in_doubt: bool,
    pub cancel_wanted: bool,
    pub send_no: i64,
    pub cum_qty: i64,
    pub cum_amount_e4: i64,
    pub fees_e4: i64,
    pub overfilled: bool,
    pub reserved_cash_e4: i64,
    pub reserved_qty: i64,
    pub broker_order_id: Option<String>,
    pub reason: Option<String>,
    pub created_at_us: i64,
    pub sent_at_us: Option<i64>,
    pub acked_at_us: Option<i64>,
    pub first_fill_at_us: Option<i64>,
    pub updated_at_us: i64,
    pub doubt_since_us: Option<i64>,
    pub parked: Option<String>,
    pub baseline: Option<String>,
    pub effect: Option<String>,
    pub all_in: bool,
    pub origin: Option<String>,
    pub netted_qty: i64,
    pub netted_amount_e4: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
