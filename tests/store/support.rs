//! One database per test, and the smallest things to put into it.

use std::sync::Arc;

use sea_orm::{DbBackend, Statement};
use signalbox::store::{Change, Expect, Store, StoreConf};
use signalbox_domain::event::Event;
use signalbox_domain::units::Timestamp;

pub(crate) const AT: Timestamp = Timestamp::from_us(1_548_984_600_000_000);

pub(crate) struct Database {
    pub(crate) conf: StoreConf,
    _folder: tempfile::TempDir,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { conf: StoreConf::new(StoreConf::SQLITE_DEFAULT, folder.path()), _folder: folder }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.conf.clone()).await.unwrap()
    }
}

pub(crate) fn administered(action: &str) -> Event {
    Event::Administered { who: "ann".into(), action: action.into(), subject: "x".into(), detail: Arc::from("") }
}

/// A change of one statement.
pub(crate) fn change(backend: DbBackend, sql: &str, expect: Expect) -> Change {
    Change { statements: vec![(Statement::from_string(backend, sql), expect)], event: administered("test") }
}
