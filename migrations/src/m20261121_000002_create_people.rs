//! People and programs: users, their sessions (one row for each family of refresh tokens) and API keys.
//!
//! Secrets are stored as hashes only. Times are microseconds since 1970 UTC, lists are JSON text: both databases keep
//! them exactly.

use sea_orm_migration::prelude::*;

#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Users::Table)
                    .col(ColumnDef::new(Users::Username).text().not_null().primary_key())
                    .col(ColumnDef::new(Users::PasswordHash).text().not_null())
                    .col(ColumnDef::new(Users::Roles).text().not_null())
                    .col(ColumnDef::new(Users::Grants).text().not_null())
                    .col(ColumnDef::new(Users::Disabled).boolean().not_null())
                    .col(ColumnDef::new(Users::TokenEpoch).big_integer().not_null())
                    .col(ColumnDef::new(Users::CreatedAtUs).big_integer().not_null())
                    .col(ColumnDef::new(Users::UpdatedAtUs).big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(Sessions::Table)
                    .col(ColumnDef::new(Sessions::Id).text().not_null().primary_key())
                    .col(ColumnDef::new(Sessions::Username).text().not_null())
                    .col(ColumnDef::new(Sessions::CurrentHash).text().not_null())
                    .col(ColumnDef::new(Sessions::PreviousHash).text())
                    .col(ColumnDef::new(Sessions::CreatedAtUs).big_integer().not_null())
                    .col(ColumnDef::new(Sessions::ExpiresAtUs).big_integer().not_null())
                    .col(ColumnDef::new(Sessions::Revoked).boolean().not_null())
                    .col(ColumnDef::new(Sessions::LastUsedAtUs).big_integer().not_null())
                    .col(ColumnDef::new(Sessions::UserAgent).text().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("sessions_by_username").table(Sessions::Table).col(Sessions::Username).to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(ApiKeys::Table)
                    .col(ColumnDef::new(ApiKeys::Id).text().not_null().primary_key())
                    .col(ColumnDef::new(ApiKeys::Name).text().not_null())
                    .col(ColumnDef::new(ApiKeys::KeyHash).text().not_null().unique_key())
                    .col(ColumnDef::new(ApiKeys::Owner).text().not_null())
                    .col(ColumnDef::new(ApiKeys::Scopes).text().not_null())
                    .col(ColumnDef::new(ApiKeys::Accounts).text().not_null())
                    .col(ColumnDef::new(ApiKeys::Strategies).text().not_null())
                    .col(ColumnDef::new(ApiKeys::Disabled).boolean().not_null())
                    .col(ColumnDef::new(ApiKeys::CreatedAtUs).big_integer().not_null())
                    .col(ColumnDef::new(ApiKeys::LastUsedAtUs).big_integer())
                    .to_owned(),
            )
            .await
    }

    /// A half-made schema is worse than none.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Username,
    PasswordHash,
    Roles,
    Grants,
    Disabled,
    TokenEpoch,
    CreatedAtUs,
    UpdatedAtUs,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    Id,
    Username,
    CurrentHash,
    PreviousHash,
    CreatedAtUs,
    ExpiresAtUs,
    Revoked,
    LastUsedAtUs,
    UserAgent,
}

#[derive(DeriveIden)]
enum ApiKeys {
    Table,
    Id,
    Name,
    KeyHash,
    Owner,
    Scopes,
    Accounts,
    Strategies,
    Disabled,
    CreatedAtUs,
    LastUsedAtUs,
}
