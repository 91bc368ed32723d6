//! Whether the rows of unfinished signals still say what was asked for: a start trades by them.

use std::collections::BTreeMap;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use signalbox_domain::event::Event;
use signalbox_domain::ids::SignalId;
use signalbox_domain::replay::Difference;
use signalbox_domain::signal::Signal;

use super::entity::{journal, signals};
use super::{EventFilter, Store, StoreError, parse, written};

/// An unfinished signal's row is not what the journal says that it is.
#[derive(Debug, thiserror::Error)]
pub enum UnfinishedError {
    #[error("SIGNAL_ROW_DIFFERS: {0}. `signalbox replay` tells of all rows")]
    Differs(Difference),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Holds the rows of all signals that wait or work, and of those that nobody has looked at, against the journal's
    /// newest lines. A row whose signal is older is held against the hash of its own request first, and only where that
    /// does not fit, its line is looked for in the whole journal.
    ///
    /// # Errors
    /// [`UnfinishedError::Differs`] with the first column that is another.
    pub async fn check_unfinished(&self, lines: u64) -> Result<(), UnfinishedError> {
        let newest = self.journal_page(&EventFilter::default(), None, 1).await?.first().map_or(0, |line| line.seq);
        let mut told: BTreeMap<i64, Signal> = BTreeMap::new();
        let accepted = journal::Entity::find()
            .filter(journal::Column::Seq.gt(newest.saturating_sub(lines) as i64))
            .filter(journal::Column::Kind.eq("signal_accepted"))
            .all(self.reads())
            .await
            .map_err(StoreError::from)?;
        for line in accepted {
            if let Event::SignalAccepted(signal) = parse::json("event", &line.payload)? {
                told.insert(signal.id.get() as i64, signal.as_ref().clone());
            }
        }
        // In these words, so that the partial indexes serve.
        let open = Expr::cust("status IN ('waiting', 'working', 'in_doubt')");
        let mut rows = signals::Entity::find().filter(open).all(self.reads()).await.map_err(StoreError::from)?;
        if let (Some((first, _)), Some((last, _))) = (told.first_key_value(), told.last_key_value()) {
            let unseen = signals::Entity::find()
                .filter(Expr::cust("status = 'accepted'"))
                .filter(signals::Column::Id.between(*first, *last))
                .order_by_asc(signals::Column::Id);
            rows.extend(unseen.all(self.reads()).await.map_err(StoreError::from)?);
        }
        for row in rows {
            let mut found = Vec::new();
            match told.get(&row.id) {
                Some(asked) => drop(written::read_signal(&mut found, row, Some(asked))?),
                None => {
                    written::read_signal(&mut found, row.clone(), None)?;
                    if !found.is_empty() {
                        let asked = self.accepted(SignalId::new(row.id as u64)).await?;
                        found.clear();
                        written::read_signal(&mut found, row, asked.as_ref())?;
                    }
                }
            }
            // Nothing is traded by the hash of a request.
            if let Some(first) = found.into_iter().find(|differs| !differs.what.starts_with("body_hash ")) {
                return Err(UnfinishedError::Differs(first));
            }
        }
        Ok(())
    }

    /// The signal as the journal has it, wherever that is.
    async fn accepted(&self, signal: SignalId) -> Result<Option<Signal>, StoreError> {
        let filter = EventFilter { signal: Some(signal), ..EventFilter::default() };
        let Some(line) = self.events_since(0, &filter, 1).await?.into_iter().next() else { return Ok(None) };
        Ok(match parse::json("event", &line.payload)? {
            Event::SignalAccepted(signal) => Some(signal.as_ref().clone()),
            _ => None,
        })
    }
}
