//! The clients: several connections, a ledger of their own, and the habit of asking again with the same key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{Dice, PASSWORD};

pub const SYMBOL: &str = "000001.SZ";
/// Longer than a stall of a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was sent under a key, and what was answered.
#[derive(Debug, Clone)]
pub struct Sent {
    pub body: Value,
    /// The id of the 202, once there was one.
    pub id: Option<String>,
    /// Whether an answer said that it was the first. At most one does; with two requests on the way at once, its answer
    /// may be read after the other's.
    pub first: bool,
}

/// The clients' own memory. On disk before it counts, like theirs would be.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    pub sent: BTreeMap<String, Sent>,
    pub repeated: usize,
    pub replayed: usize,
    /// Every contradiction that a client met.
    pub faults: Vec<String>,
}

impl Ledger {
    fn note(&mut self, key: &str, sent: Sent) {
        let line = json!({"key": key, "body": sent.body, "id": sent.id});
        writeln!(self.file, "{line}").unwrap();
        self.file.sync_data().unwrap();
        self.sent.insert(key.to_owned(), sent);
    }
}

/// All clients together. Clones share the ledger.
#[derive(Debug, Clone)]
pub struct Driver {
    http: Client,
    pub url: String,
    token: String,
    ledger: Arc<Mutex<Ledger>>,
    mix: Mix,
}

/// What signals the clients send.
#[derive(Debug, Clone)]
enum Mix {
    /// To the demonstration's strategies, without a pause.
    Demo,
    /// To one strategy per account, with up to so many milliseconds between requests.
    Each(Arc<[String]>, u64),
}

/// The connection broke: the answer is not known.
#[derive(Debug)]
pub struct Unknown;

/// A price that the program did not take.
#[derive(Debug)]
pub struct NotShown {
    /// It said so itself.
    pub connected: bool,
}

impl From<NotShown> for Unknown {
    fn from(_: NotShown) -> Self {
        Self
    }
}

/// An answer: its status, whether it is a replay, and its body.
struct Answer {
    status: StatusCode,
    replayed: bool,
    body: Value,
}

impl Driver {
    /// Makes an API key with the first life of the program; it has to hold for all the others.
    pub async fn new(url: &str, ledger: &Path) -> Self {
        let http = Client::builder().timeout(PATIENCE).build().unwrap();
        let file = File::create(ledger).unwrap();
        let ledger = Ledger { file, sent: BTreeMap::new(), repeated: 0, replayed: 0, faults: Vec::new() };
        let mut driver = Self {
            http,
            url: url.to_owned(),
            token: String::new(),
            ledger: Arc::new(Mutex::new(ledger)),
            mix: Mix::Demo,
        };
        let tokens = driver.log_in().await.unwrap();
        driver.token = tokens["access_token"].as_str().unwrap().to_owned();
        let scopes = [
            "signals:write",
            "signals:read",
            "orders:read",
            "orders:write",
            "accounts:read",
            "quotes:read",
            "quotes:write",
        ];
        let key = driver.must("/v1/api-keys", &json!({"name": "driver", "scopes": scopes})).await;
        driver.token = key["secret"].as_str().unwrap().to_owned();
        driver
    }

    /// # Errors
    /// When the program is gone.
    pub async fn log_in(&self) -> Result<Value, Unknown> {
        let login = json!({"username": "admin", "password": PASSWORD});
        Ok(self.post("/v1/auth/login", &login).await?.body)
    }

    /// Other strategies than the demonstration's.
    #[must_use]
    pub fn to_each(mut self, strategies: Vec<String>, pause_ms: u64) -> Self {
        self.mix = Mix::Each(strategies.into(), pause_ms);
        self
    }

    /// The same clients after a restart: new connections, the old ledger.
    #[must_use]
    pub fn reconnected(&self, url: &str) -> Self {
        let http = Client::builder().timeout(PATIENCE).build().unwrap();
        Self {
            http,
            url: url.to_owned(),
            token: self.token.clone(),
            ledger: self.ledger.clone(),
            mix: self.mix.clone(),
        }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// Traffic until the program dies.
    pub async fn trade_until_it_dies(&self, name: String, mut dice: Dice) {
        for n in 0_u32.. {
            let step = match dice.between(0, 99) {
                0..45 => {
                    let key = format!("{name}-{n}");
                    let body = self.signal(&mut dice, &key);
                    self.send(&key, body).await
                }
                45..50 => self.send_many(&name, n, &mut dice).await,
                50..60 => self.repeat_any(&mut dice).await,
                60..63 => self.misuse_any_key(&mut dice).await,
                63..75 => self.cancel_any(&mut dice).await,
                _ => self.quote(&mut dice).await,
            };
            if step.is_err() {
                return;
            }
            let pause_ms = if let Mix::Each(_, ms) = &self.mix { *ms } else { 4 };
            tokio::time::sleep(dice.millis(0, pause_ms)).await;
        }
    }

    /// A signal that has to be accepted at once.
    pub async fn accept(&self, body: Value) {
        let key = body["client_signal_id"].as_str().unwrap().to_owned();
        self.send(&key, body).await.unwrap();
        assert!(self.ledger().sent[&key].id.is_some(), "{key}: {:?}", self.ledger().faults);
    }

    /// Takes over what somebody sent past the ledger and was answered.
    pub fn adopt(&self, key: &str, body: &Value, id: &str) {
        self.ledger().note(key, Sent { body: body.clone(), id: Some(id.to_owned()), first: true });
    }

    /// Asks again for everything that was not answered.
    pub async fn ask_again(&self) -> Result<(), Unknown> {
        let open: Vec<(String, Value)> = {
            let ledger = self.ledger();
            let open = ledger.sent.iter().filter(|(_, sent)| sent.id.is_none());
            open.map(|(key, sent)| (key.clone(), sent.body.clone())).collect()
        };
        for (key, body) in open {
            self.ledger().repeated += 1;
            self.send(&key, body).await?;
        }
        Ok(())
    }

    fn signal(&self, dice: &mut Dice, key: &str) -> Value {
        let mut body = signal(dice, key);
        if let Mix::Each(strategies, _) = &self.mix {
            body["strategy"] = json!(strategies[dice.between(0, strategies.len() as u64 - 1) as usize]);
            if body["limit_price"].is_null() {
                body["time_in_force"] = json!("ioc"); // no exchange lets a market order rest
            }
        }
        body
    }

    /// Sends a signal and writes down what became of it.
    async fn send(&self, key: &str, body: Value) -> Result<(), Unknown> {
        if !self.ledger().sent.contains_key(key) {
            self.ledger().note(key, Sent { body: body.clone(), id: None, first: false });
        }
        let answer = self.post("/v1/signals", &body).await?;
        self.noted(key, body, &answer);
        Ok(())
    }

    fn noted(&self, key: &str, body: Value, answer: &Answer) {
        let mut ledger = self.ledger();
        let (known, first) = ledger.sent.get(key).map_or((None, false), |sent| (sent.id.clone(), sent.first));
        let id = answer.body["id"].as_str().map(str::to_owned);
        ledger.replayed += usize::from(answer.replayed);
        match (answer.status, known) {
            (StatusCode::ACCEPTED, Some(known)) if id.as_ref() != Some(&known) || (first && !answer.replayed) => {
                let fault = format!("key {key} was {known}, and is {id:?} (replayed: {})", answer.replayed);
                ledger.faults.push(fault);
            }
            (StatusCode::ACCEPTED, Some(_)) if answer.replayed => {}
            (StatusCode::ACCEPTED, _) => ledger.note(key, Sent { body, id, first: !answer.replayed }),
            // Nothing is known: the key is asked for again.
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, _) => {}
            (status, _) => ledger.faults.push(format!("key {key} was answered {status}: {}", answer.body)),
        }
    }

    /// After a kill no request is on the way any more: whatever has an id was accepted, and every further answer to it
    /// has to say that it is a repeat.
    pub fn nothing_is_on_the_way(&self) {
        for sent in self.ledger().sent.values_mut() {
            sent.first |= sent.id.is_some();
        }
    }

    async fn send_many(&self, name: &str, n: u32, dice: &mut Dice) -> Result<(), Unknown> {
        let keys: Vec<String> = (0..dice.between(2, 6)).map(|i| format!("{name}-{n}-{i}")).collect();
        let bodies: Vec<Value> = keys.iter().map(|key| self.signal(dice, key)).collect();
        for (key, body) in keys.iter().zip(&bodies) {
            self.ledger().note(key, Sent { body: body.clone(), id: None, first: false });
        }
        let answer = self.post("/v1/signals/batch", &json!({"signals": bodies})).await?;
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        for ((key, body), item) in keys.iter().zip(bodies).zip(items) {
            let replayed = item["replayed"].as_bool().unwrap_or_default();
            let status = if item["id"].is_string() { answer.status } else { StatusCode::UNPROCESSABLE_ENTITY };
            self.noted(key, body, &Answer { status, replayed, body: item });
        }
        Ok(())
    }

    async fn repeat_any(&self, dice: &mut Dice) -> Result<(), Unknown> {
        let Some((key, sent)) = self.any(dice) else { return Ok(()) };
        self.send(&key, sent.body).await
    }

    /// Another signal under a key that was used: refused, whatever the first one became.
    async fn misuse_any_key(&self, dice: &mut Dice) -> Result<(), Unknown> {
        let Some((key, Sent { mut body, .. })) = self.any(dice) else { return Ok(()) };
        body["quantity"] = json!(body["quantity"].as_u64().unwrap() + 100);
        let answer = self.post("/v1/signals", &body).await?;
        // A store that just failed knows nothing of any key.
        if !matches!(answer.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::SERVICE_UNAVAILABLE) {
            let fault = format!("key {key} with another body was answered {}: {}", answer.status, answer.body);
            self.ledger().faults.push(fault);
        }
        Ok(())
    }

    async fn cancel_any(&self, dice: &mut Dice) -> Result<(), Unknown> {
        let Some((key, Sent { id: Some(id), .. })) = self.any(dice) else { return Ok(()) };
        let answer = self.post(&format!("/v1/signals/{id}/cancel"), &Value::Null).await?;
        if !matches!(answer.status, StatusCode::ACCEPTED | StatusCode::SERVICE_UNAVAILABLE) {
            let fault = format!("the cancel of key {key} was answered {}: {}", answer.status, answer.body);
            self.ledger().faults.push(fault);
        }
        Ok(())
    }

    /// The market moves between 1.93 and 2.07, with more or less behind it.
    async fn quote(&self, dice: &mut Dice) -> Result<(), Unknown> {
        let bid = dice.between(193, 206);
        let shown = self.put_quote(bid, bid + 1, dice.between(1, 40) * 100).await;
        // Like signals and cancels: a program that is about to end says so. The next request meets its end.
        shown.or_else(|NotShown { connected }| if connected { Ok(()) } else { Err(Unknown) })
    }

    /// # Errors
    /// [`NotShown`]: it has to be shown again.
    pub async fn put_quote(&self, bid: u64, ask: u64, size: u64) -> Result<(), NotShown> {
        let quote = json!({
            "symbol": SYMBOL, "last": cents(bid), "bid": cents(bid), "ask": cents(ask), "bid_size": size,
            "ask_size": size, "prev_close": "2.00",
        });
        let answer = self.post("/v1/quotes", &json!({"quotes": [quote]})).await;
        let answer = answer.map_err(|Unknown| NotShown { connected: false })?;
        match answer.status {
            StatusCode::OK => return Ok(()),
            StatusCode::SERVICE_UNAVAILABLE => {}
            status => self.ledger().faults.push(format!("a quote was answered {status}: {}", answer.body)),
        }
        Err(NotShown { connected: true })
    }

    /// One of the last few hundred answered keys: repeats come soon, and old signals have nothing left to cancel.
    fn any(&self, dice: &mut Dice) -> Option<(String, Sent)> {
        let ledger = self.ledger();
        let answered: Vec<_> = ledger.sent.iter().rev().filter(|(_, sent)| sent.id.is_some()).take(400).collect();
        if answered.is_empty() {
            return None;
        }
        let (key, sent) = answered[dice.between(0, answered.len() as u64 - 1) as usize];
        Some((key.clone(), sent.clone()))
    }

    /// What a decision about a doubt is answered.
    pub async fn resolve(&self, order: &str, decision: &Value) -> Result<StatusCode, Unknown> {
        Ok(self.post(&format!("/v1/orders/{order}/resolve"), decision).await?.status)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answer, Unknown> {
        let mut request = self.http.post(format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|_| Unknown)?;
        let status = answer.status();
        let replayed = answer.headers().contains_key("idempotency-replayed");
        let body = answer.bytes().await.map_err(|_| Unknown)?;
        let body = serde_json::from_slice(&body).map_err(|_| Unknown)?;
        Ok(Answer { status, replayed, body })
    }

    /// A request that has to succeed.
    pub async fn must(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
        answer.body
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask(path).await.unwrap()
    }

    /// A question that has to be answered well, unless the program is gone.
    ///
    /// # Errors
    /// When it is.
    pub async fn ask(&self, path: &str) -> Result<Value, Unknown> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.map_err(|_| Unknown)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|_| Unknown)?;
        assert!(status.is_success() || status.is_server_error(), "{path}: {status} {body}");
        if status.is_success() { Ok(body) } else { Err(Unknown) }
    }

    /// All pages of a list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}?limit=500{cursor}")).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

/// Mostly within cash and holdings; some rest, and some ask for more than there is.
fn signal(dice: &mut Dice, key: &str) -> Value {
    let group = dice.one_in(2);
    let buys = dice.between(0, 99) < 60;
    let lots = if group { dice.between(6, 20) } else { dice.between(1, 5) };
    let mut body = json!({
        "strategy": if group { "external" } else { "solo" }, "symbol": SYMBOL, "side": if buys { "buy" } else { "sell" },
        "quantity": lots * 100, "client_signal_id": key,
    });
    if !dice.one_in(3) {
        // Around the market: some trade at once, some rest until it comes, some for ever.
        let price = if buys { dice.between(185, 206) } else { dice.between(194, 215) };
        body["limit_price"] = json!(cents(price));
    }
    if dice.one_in(10) {
        body["time_in_force"] = json!("ioc");
    }
    body
}

fn cents(price: u64) -> String {
    format!("{}.{:02}", price / 100, price % 100)
}
