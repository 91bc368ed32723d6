//! A person with the broker's ledger in hand, who decides every parked doubt by the truth.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_brokers::fake::AccountTruth;
use signalbox_brokers::fake::wire::Status;

use super::text;
use crate::drill::driver::{Driver, Unknown};
use crate::drill::program::now;

/// What is true must have been true for so long: a request that was on the way when its line died has arrived by then.
const LOOKS_TWICE: Duration = Duration::from_millis(400);

/// See the module.
#[derive(Debug, Default)]
pub struct Person {
    /// What the ledger said of an order, and since when.
    seen: BTreeMap<String, (Option<String>, Instant)>,
    pub decisions: usize,
}

impl Person {
    /// Decides what can be decided among these orders.
    ///
    /// # Errors
    /// When the program is gone.
    pub async fn decide(
        &mut self,
        driver: &Driver,
        orders: impl IntoIterator<Item = &Value>,
        truth: &BTreeMap<String, AccountTruth>,
    ) -> Result<(), Unknown> {
        for order in orders.into_iter().filter(|order| order["status"] == "parked") {
            let id = text(&order["id"]);
            let made = truth.get(text(&order["account"]));
            let made = made.and_then(|account| account.orders.iter().find(|o| o.hidden == order["client_order_id"]));
            let works = made.is_some_and(|made| matches!(made.status, Status::Working | Status::Filled));
            let no = made.map(|made| made.no.clone());
            let (known, since) = self.seen.entry(id.to_owned()).or_insert_with(|| (no.clone(), now()));
            if *known != no {
                (*known, *since) = (no.clone(), now());
            }
            if since.elapsed() < LOOKS_TWICE {
                continue;
            }
            let decision = match no {
                Some(no) => json!({"decision": "bind", "broker_order_id": no, "note": "the ledger says so"}),
                None => {
                    json!({"decision": "absent", "symbol": order["symbol"], "override": true, "note": "the ledger says so"})
                }
            };
            // Only the cancel of a known order may be in doubt.
            let of_cancel = json!({"decision": if works { "works" } else { "canceled" }, "note": "the ledger says so"});
            if driver.resolve(id, &decision).await?.is_success() || driver.resolve(id, &of_cancel).await?.is_success() {
                self.decisions += 1;
                self.seen.remove(id);
            }
        }
        Ok(())
    }
}
