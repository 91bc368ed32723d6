//! The line between Signalbox and the fake broker, which can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A port on the loopback behind which the broker is.
#[derive(Debug)]
pub struct Line {
    at: SocketAddr,
    cuts: watch::Sender<u64>,
    dead: Arc<AtomicBool>,
}

impl Line {
    /// # Panics
    /// When no port can be had.
    pub async fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        let dead = Arc::new(AtomicBool::new(false));
        let refused = dead.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if !refused.load(Ordering::Relaxed) {
                    tokio::spawn(carry(near, broker, cut.clone()));
                }
            }
        });
        Self { at, cuts, dead }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Drops every connection, whatever is on it, and takes no new one for a while.
    pub async fn cut(&self, pause: Duration) {
        self.dead.store(true, Ordering::Relaxed);
        self.cuts.send_modify(|cuts| *cuts += 1);
        tokio::time::sleep(pause).await;
        self.dead.store(false, Ordering::Relaxed);
    }
}

async fn carry(mut near: TcpStream, broker: SocketAddr, mut cut: watch::Receiver<u64>) {
    cut.mark_unchanged();
    let Ok(mut far) = TcpStream::connect(broker).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true)); // slower without
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = cut.changed() => {}
    }
}
