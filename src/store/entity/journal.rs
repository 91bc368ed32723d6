//! One line of the journal.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "journal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub at_us: i64,
    pub actor: String,
    pub cause: String,
    pub kind: String,
    pub account: Option<String>,
    pub strategy: Option<String>,
    pub signal_id: Option<i64>,
    pub order_id: Option<i64>,
    pub payload: String,
    pub hash: Vec<u8>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
