//! What stays of a signal whose rows were dropped.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signal_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub client: String,
    pub client_signal_id: String,
    pub body_hash: Vec<u8>,
    pub strategy: String,
    pub account: Option<String>,
    pub status: String,
    pub received_at_us: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
