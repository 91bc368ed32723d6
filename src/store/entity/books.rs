//! What a strategy holds of a symbol in an account.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "books")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub symbol: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub strategy: String,
    pub qty: i64,
    pub bought_today: i64,
    pub cost_e4: i64,
    pub realized_pnl_e4: i64,
    pub entry_on: Option<i64>,
    pub entry_at_us: Option<i64>,
    pub high_e4: Option<i64>,
    pub low_e4: Option<i64>,
    pub seen_until_us: Option<i64>,
    pub entry_realized_e4: Option<i64>,
    pub day_qty: Option<i64>,
    pub day_flow_e4: Option<i64>,
    pub prev_close_e4: Option<i64>,
    pub close_e4: Option<i64>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
