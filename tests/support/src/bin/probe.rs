//! Measures the cores and the actors in this process.
use std::sync::Arc;
use std::time::Instant;

use signalbox_actors::journal::MemoryJournal;
use signalbox_actors::root::boot;
use signalbox_support::desk;
use tokio::sync::Notify;

#[actix::main]
async fn main() {
    for (accounts, everywhere, signals) in [(1, false, 200_000_u64), (10_000, true, 10)] {
        let inbox = Arc::new(desk::MemoryInbox::default());
        let root = boot(desk::boot(
            accounts,
            everywhere,
            Arc::new(MemoryJournal::default()),
            Arc::new(Notify::new()),
            inbox.clone(),
            Arc::new(desk::Nothing),
        ))
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let at = desk::monday_morning();
        root.board.quotes.borrow_mut().put(desk::quote(at, 100_000));
        signalbox_actors::port::tell(
            &root.market,
            signalbox_actors::market::Quotes { quotes: vec![desk::quote(at, 100_000)], answer: None },
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let start = Instant::now();
        for id in 1..=signals {
            inbox.put(desk::buy(id, at));
        }
        root.poke(&desk::strategy_id());
        let want = 100 * signals as i64;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            let have: i64 = {
                let l = root.board.ledgers.borrow();
                l.get(&desk::account_id(accounts - 1)).map_or(0, |l| l.holding(desk::symbol()).qty.get())
            };
            if have >= want {
                break;
            }
            if start.elapsed().as_secs() > 20 {
                println!("stuck at {have} of {want}");
                break;
            }
        }
        let orders = signals as f64 * if everywhere { accounts as f64 } else { 1.0 };
        println!(
            "{accounts} accounts: {:.2} us/order, {:?}",
            start.elapsed().as_secs_f64() * 1e6 / orders,
            start.elapsed()
        );
    }
}
