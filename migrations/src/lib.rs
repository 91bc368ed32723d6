//! The schema of the database, one file per change, applied in order when the store is opened.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m20261121_000001_create_core;
mod m20261121_000002_create_people;
mod m20261121_000003_create_exceptions;
mod m20261121_000011_create_limits;
mod m20261121_000020_create_revived_exceptions;
mod m20261121_000030_create_book_entries;
mod m20261121_000031_create_fx_rates;
mod m20261121_000040_wait_for_people;
mod m20261121_000050_create_progress;
mod m20261121_000060_create_contract_books;
mod m20261121_000080_create_equity_marks;
mod m20261121_000081_create_order_origin;
mod m20261121_000090_create_all_in;
mod m20261121_000100_create_registry;
mod m20261121_000110_create_netted;
mod m20261121_000130_create_journal_archives;
mod m20261122_000140_create_corporate_actions;
mod m20261122_000150_create_signal_keys;
mod m20261122_000160_create_account_days;
mod sql;

#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_create_core::Migration),
            Box::new(m20261121_000002_create_people::Migration),
            Box::new(m20261121_000003_create_exceptions::Migration),
            Box::new(m20261121_000011_create_limits::Migration),
            Box::new(m20261121_000020_create_revived_exceptions::Migration),
            Box::new(m20261121_000030_create_book_entries::Migration),
            Box::new(m20261121_000031_create_fx_rates::Migration),
            Box::new(m20261121_000040_wait_for_people::Migration),
            Box::new(m20261121_000050_create_progress::Migration),
            Box::new(m20261121_000060_create_contract_books::Migration),
            Box::new(m20261121_000080_create_equity_marks::Migration),
            Box::new(m20261121_000081_create_order_origin::Migration),
            Box::new(m20261121_000090_create_all_in::Migration),
            Box::new(m20261121_000100_create_registry::Migration),
            Box::new(m20261121_000110_create_netted::Migration),
            Box::new(m20261121_000130_create_journal_archives::Migration),
            Box::new(m20261122_000140_create_corporate_actions::Migration),
            Box::new(m20261122_000150_create_signal_keys::Migration),
            Box::new(m20261122_000160_create_account_days::Migration),
        ]
    }
}
