//! The paper venue of a story with `given paper`.

use super::*;

impl Stage {
    pub(super) fn ask_venue(&mut self, account: &AccountId, request: &BrokerRequest) {
        match request {
            BrokerRequest::Submit { terms, band, subscription, .. } => self.venue(VenueInput::New(VenueOrder {
                account: account.clone(),
                order: terms.id,
                symbol: terms.symbol,
                side: terms.side,
                ord_type: terms.ord_type,
                limit_price: terms.limit_price,
                qty: terms.qty,
                tif: terms.time_in_force,
                cum_qty: Qty::ZERO,
                band: *band,
                subscription: *subscription,
            })),
            BrokerRequest::Cancel { order, .. } => {
                let of = self.venue.as_ref().and_then(|venue| venue.symbol_of(account, *order));
                let taken = of.is_none_or(|symbol| self.desk.market.takes_cancels(symbol, self.desk.at));
                self.venue(VenueInput::Cancel { account: account.clone(), order: *order, taken });
            }
            BrokerRequest::Find { .. } => {}
        }
    }

    pub(super) fn venue(&mut self, input: VenueInput<'_>) {
        let mut events = Vec::new();
        if let Some(venue) = &mut self.venue {
            venue.handle(self.desk.at, input, &mut events);
        }
        for event in events {
            let (account, order, what) = match event {
                VenueEvent::Accepted { account, order, broker_order_id } => {
                    (account, order, Report::Accepted { broker_order_id })
                }
                VenueEvent::Rejected { account, order, reason } => {
                    (account, order, Report::Rejected { text: <&str>::from(reason).into() })
                }
                VenueEvent::Filled { account, order, exec_id, qty, px, at } => {
                    (account, order, Report::Filled { exec_id, qty, px, at })
                }
                VenueEvent::Canceled { account, order, .. } => {
                    (account, order, Report::Canceled { text: "canceled".into() })
                }
                VenueEvent::CancelRejected { account, order, reason } => {
                    (account, order, Report::CancelRejected { text: <&str>::from(reason).into() })
                }
                VenueEvent::Expired { account, order, .. } => (account, order, Report::Expired),
            };
            self.desk.tell_account(&account, AccountInput::Broker(BrokerReport { order, what }));
        }
    }
}
