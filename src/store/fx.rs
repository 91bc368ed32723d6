//! Stated exchange rates: the newest of each pair, and a fact of the journal for each.

use std::sync::Arc;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, QueryTrait};
use signalbox_domain::event::Event;
use signalbox_domain::fx::{FxRate, FxRates};
use signalbox_domain::units::Timestamp;

use super::entity::fx_rates::{ActiveModel, Column, Entity};
use super::{Change, ChangeError, Expect, Store, StoreError, parse};

impl Store {
    /// # Errors
    /// When the database cannot be read.
    pub async fn fx_rates(&self) -> Result<FxRates, StoreError> {
        let mut rates = FxRates::default();
        for model in Entity::find().all(self.reads()).await? {
            rates.put(parse::fx_rate(model)?);
        }
        Ok(rates)
    }

    /// # Errors
    /// [`ChangeError::Unavailable`], when it cannot be made durable.
    pub async fn set_fx_rate(&self, at: Timestamp, rate: FxRate, by: Arc<str>) -> Result<(), ChangeError> {
        let (currency, base): (&str, &str) = (rate.currency.into(), rate.base.into());
        let row = ActiveModel {
            currency: Set(currency.to_owned()),
            base: Set(base.to_owned()),
            rate_e6: Set(rate.rate.e6()),
            source: Set(rate.source.to_string()),
            as_of_us: Set(rate.as_of.us()),
        };
        let newest = OnConflict::columns([Column::Currency, Column::Base])
            .update_columns([Column::RateE6, Column::Source, Column::AsOfUs])
            .to_owned();
        let upsert = Entity::insert(row).on_conflict(newest).build(self.reads().get_database_backend());
        let event = Event::FxRateSet { rate: Arc::new(rate), by };
        self.change(at, Change { statements: vec![(upsert, Expect::One)], event }).await
    }
}
