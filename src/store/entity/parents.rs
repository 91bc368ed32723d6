//! One leg of a signal.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "parents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub signal_id: i64,
    pub account: String,
    pub strategy: String,
    pub symbol: String,
    pub side: String,
    pub qty: i64,
    pub cum_qty: i64,
    pub cum_amount_e4: i64,
    pub status: String,
    pub working_order_id: Option<i64>,
    pub mode: String,
    pub short_of_cash: String,
    pub waiting_for: Option<String>,
    pub wait_until_us: Option<i64>,
    pub decided: Option<String>,
    pub effect: Option<String>,
    pub progress: Option<String>,
    pub netted_qty: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
