//! A file of old lines of the journal.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "journal_archives")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub last_seq: i64,
    pub first_seq: i64,
    pub first_at_us: i64,
    pub last_at_us: i64,
    pub last_hash: String,
    pub file: String,
    pub bytes: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
