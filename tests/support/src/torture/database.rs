//! The database under the program: a file, or a database of its own on a private server that can be killed.

use std::process::Command;

use sea_orm::ConnectionTrait;

/// Where a run stores.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite,
    Postgres(Server),
}

/// A private PostgreSQL server, as `ops/torture` starts one.
#[derive(Debug, Clone)]
pub struct Server {
    /// `postgres://user@host:port`
    pub url: String,
    /// A shell command that kills every process of the server at once and starts it again.
    pub restart: String,
}

impl Database {
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Makes an empty one, and gives its address for the settings.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn make(&self, name: &str) -> String {
        match self {
            Self::Sqlite => "sqlite:signalbox.db".to_owned(),
            Self::Postgres(server) => {
                server.run(&format!("CREATE DATABASE {name}")).await;
                format!("{}/{name}", server.url)
            }
        }
    }

    /// # Panics
    /// When the server does not do it.
    pub async fn remove(&self, name: &str) {
        if let Self::Postgres(server) = self {
            server.run(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

impl Server {
    /// Ends all connections of the program.
    ///
    /// # Panics
    /// When the server does not do it.
    pub async fn drop_connections(&self) {
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signalbox'").await;
    }

    /// # Panics
    /// When it does not come up again.
    pub fn kill_and_restart(&self) {
        let status = Command::new("sh").args(["-c", &self.restart]).status().unwrap();
        assert!(status.success(), "the PostgreSQL server does not come up again: {status}");
    }

    async fn run(&self, sql: &str) {
        let connection = sea_orm::Database::connect(format!("{}/postgres", self.url)).await.unwrap();
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}
