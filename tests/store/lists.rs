//! Lists: newest first, page by page, and only what the reader may see.

use signalbox::store::ListFilter;
use signalbox_actors::journal::Journal;
use signalbox_domain::ids::{AccountId, SignalId, StrategyId};
use signalbox_domain::signal::SignalStatus;

use crate::support::{AT, Database, account, durable, entry, life, new_signal, signal_row};

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    for database in Database::all().await {
        let store = database.open().await;
        let mut ticket = 0;
        for n in 1..=7 {
            store.ingest(new_signal(&n.to_string())).await.unwrap();
            for step in if n == 7 { Vec::new() } else { life(SignalId::new(n), if n % 2 == 0 { 2 } else { 1 }) } {
                ticket = store.append(step);
            }
        }
        durable(&store, ticket).await;

        let mine = ListFilter { accounts: Some(vec![account()]), limit: 4, ..ListFilter::default() };
        let ids = |list: Vec<signalbox::store::StoredOrder>| list.iter().map(|o| o.terms().id).collect::<Vec<_>>();
        let first = ids(store.orders(&mine).await.unwrap());
        assert_eq!(first.iter().map(|id| id.signal().get()).collect::<Vec<_>>(), [6, 5, 4, 3]);
        let next = ListFilter { before: Some(first[3].get()), ..mine.clone() };
        assert_eq!(ids(store.orders(&next).await.unwrap()).len(), 2);
        let filled = ListFilter { statuses: Some(vec!["filled"]), ..mine.clone() };
        assert_eq!(store.orders(&filled).await.unwrap().len(), 3);
        let signals = store.signals(&ListFilter { limit: 0, ..mine.clone() }).await.unwrap();
        assert_eq!(signals.len(), 6, "the last one has no leg in the account yet");
        assert_eq!(store.signals(&ListFilter::default()).await.unwrap().len(), 7);
        assert_eq!(store.fills(&ListFilter { from: Some(AT), ..ListFilter::default() }).await.unwrap().len(), 9);
        assert_eq!(store.open_orders(&account()).await.unwrap().len(), 3);

        for filter in [
            ListFilter { accounts: Some(vec![AccountId::parse("other").unwrap()]), ..ListFilter::default() },
            ListFilter { strategy: Some(StrategyId::parse("other").unwrap()), ..ListFilter::default() },
            ListFilter { accounts: Some(Vec::new()), ..ListFilter::default() },
            ListFilter { to: Some(AT), ..ListFilter::default() },
        ] {
            assert!(store.signals(&filter).await.unwrap().is_empty(), "{filter:?}");
            assert!(store.orders(&filter).await.unwrap().is_empty(), "{filter:?}");
            assert!(store.fills(&filter).await.unwrap().is_empty(), "{filter:?}");
        }
        let client = new_signal("7").signal.client;
        let seventh = store.signal_by_key(&client, "7").await.unwrap().unwrap();
        assert_eq!(seventh.row.status, SignalStatus::Accepted);
        let ticket = store.append(entry(Vec::new(), vec![signal_row(seventh.row.id, SignalStatus::Canceled)]));
        durable(&store, ticket).await;
        assert_eq!(store.signal(seventh.row.id).await.unwrap().unwrap().row.status, SignalStatus::Canceled);
        store.close();
        database.remove().await;
    }
}
