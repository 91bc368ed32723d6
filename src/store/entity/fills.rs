//! One fill.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "fills")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub account: String,
    pub trade_date: i64,
    pub exec_id: String,
    pub order_id: i64,
    pub strategy: String,
    pub symbol: String,
    pub side: String,
    pub qty: i64,
    pub px_e4: i64,
    pub fee_e4: i64,
    pub at_us: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
