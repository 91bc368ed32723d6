//! The rows behind people and programs.

#[expect(unreachable_pub, reason = "the derive makes public types that name these")]
pub(super) mod user {
    use sea_orm::entity::prelude::*;

    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub username: String,
        pub password_hash: String,
        pub roles: String,
        pub grants: String,
        pub disabled: bool,
        pub token_epoch: i64,
        pub created_at_us: i64,
        pub updated_at_us: i64,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "the derive makes public types that name these")]
pub(super) mod session {
    use sea_orm::entity::prelude::*;

    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub username: String,
        pub current_hash: String,
        pub previous_hash: Option<String>,
        pub created_at_us: i64,
        pub expires_at_us: i64,
        pub revoked: bool,
        pub last_used_at_us: i64,
        pub user_agent: String,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "the derive makes public types that name these")]
pub(super) mod api_key {
    use sea_orm::entity::prelude::*;

    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub key_hash: String,
        pub owner: String,
        pub scopes: String,
        pub accounts: String,
        pub strategies: String,
        pub disabled: bool,
        pub created_at_us: i64,
        pub last_used_at_us: Option<i64>,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
