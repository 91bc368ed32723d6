//! An account's cash and counters.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub cash_e4: i64,
    pub trade_date: Option<i64>,
    pub messages_today: i64,
    pub updated_at_us: i64,
    pub prev_equity_e4: Option<i64>,
    pub loans: Option<String>,
    pub flows: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
