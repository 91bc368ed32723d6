//! One accepted signal and what became of it.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub client: String,
    pub client_signal_id: String,
    pub body_hash: Vec<u8>,
    pub strategy: String,
    pub account: Option<String>,
    pub symbol: String,
    pub payload: String,
    pub status: String,
    pub waiting_for: Option<String>,
    pub until_us: Option<i64>,
    pub residual_qty: i64,
    pub denials: Option<String>,
    pub cancel_requested: bool,
    pub received_at_us: i64,
    pub updated_at_us: i64,
    pub basket: Option<String>,
    pub held: Option<String>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
