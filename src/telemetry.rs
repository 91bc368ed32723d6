//! Logs, and what a panic leaves in them.

use tracing_subscriber::EnvFilter;

/// What is told when nobody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// But for those about the isolation that SQLite has anyway: the reads of both databases ask for it.
    Warnings,
    /// Of a simulated world, in which brokers lie by the thousand.
    Errors,
}

/// Logs to the standard error. `RUST_LOG` chooses what.
pub fn install(told: Told) {
    let default = match told {
        Told::Warnings => "warn,sea_orm::driver::sqlx_sqlite=error",
        Told::Errors => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let json = std::env::var("SIGNALBOX_LOG").is_ok_and(|format| format == "json");
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second installation (tests) is refused, and the first one stays.
    let _ = if json { logs.json().try_init() } else { logs.try_init() };
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(location = panic.location().map(ToString::to_string), "panic: {panic}");
        default(panic);
    }));
}
