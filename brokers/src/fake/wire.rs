//! What the fake broker and its adapter say to each other: JSON over HTTP, grids of text for the lists.

use serde::{Deserialize, Serialize};
use signalbox_domain::broker::Level;
use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Span, Timestamp, TradeDate};

/// Opens the client's session. An account that the broker does not know is opened as `level` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectRequest {
    pub at: Timestamp,
    pub account: String,
    pub level: Level,
}

/// One order to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitRequest {
    pub at: Timestamp,
    pub account: String,
    /// The client's id, where the level has a field for it.
    pub tag: Option<String>,
    /// The client's id again, for the broker's ledger only: no decision and no answer looks at it.
    pub hidden: String,
    pub symbol: Symbol,
    pub side: Side,
    pub ord_type: OrdType,
    pub px: Option<Price>,
    pub qty: Qty,
    pub tif: TimeInForce,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CancelRequest {
    pub at: Timestamp,
    pub account: String,
    pub no: String,
}

/// Looks an order up by the client's id (levels L3 and L4).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindRequest {
    pub at: Timestamp,
    pub account: String,
    pub tag: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRequest {
    pub at: Timestamp,
    pub account: String,
    pub list: List,
}

/// Asks for what happened after `after`; waits for it a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PushRequest {
    pub account: String,
    /// The stream that `after` belongs to; another one begins again.
    pub stream: u64,
    pub after: u64,
    /// The answer may wait so long for something to tell.
    pub wait_ms: u64,
}

/// The answer to anything that is asked of the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub ok: bool,
    /// Why not. The adapter knows which codes prove that nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default)]
    pub text: String,
    /// The order's number (合同编号), where the level tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no: Option<String>,
    /// The client's id again, where the level echoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What a lookup found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

impl Reply {
    pub(super) fn done(text: &str) -> Self {
        Self { ok: true, code: None, text: text.to_owned(), no: None, tag: None, found: None }
    }

    pub(super) fn refused(code: &str) -> Self {
        Self { ok: false, code: Some(code.to_owned()), text: code.to_owned(), no: None, tag: None, found: None }
    }
}

/// What an order is at the broker, which tells it beside whatever it says of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    /// Absent for an order at the market's price.
    pub px: Option<Price>,
}

/// One order as a lookup shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub of: Shape,
    pub status: Status,
    pub cum_qty: Qty,
    pub canceled_qty: Qty,
    pub fills: Vec<FoundFill>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFill {
    pub exec: String,
    pub qty: Qty,
    pub px: Price,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Working,
    Filled,
    Canceled,
    /// 废单: taken and refused afterwards.
    Junk,
}

/// What the broker says unasked. Levels below L1 hear nothing, level L1 hears numbers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    pub seq: u64,
    pub no: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Told where the mark is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Shape>,
    pub what: PushWhat,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PushWhat {
    Accepted,
    Filled { exec: String, qty: Qty, px: Price, at: Timestamp },
    Canceled,
    Junk { text: String },
    Busted { exec: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushes {
    pub stream: u64,
    pub items: Vec<Push>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum List {
    Orders,
    Trades,
    Positions,
    Cash,
}

impl List {
    pub const ALL: [Self; 4] = [Self::Orders, Self::Trades, Self::Positions, Self::Cash];

    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &[
                "委托时间",
                "合同编号",
                "证券代码",
                "买卖",
                "委托数量",
                "委托价格",
                "成交数量",
                "撤单数量",
                "状态",
                "备注",
            ],
            Self::Trades => &["成交时间", "成交编号", "合同编号", "证券代码", "买卖", "成交数量", "成交价格"],
            Self::Positions => &["证券代码", "股票余额", "可用余额"],
            Self::Cash => &["资金余额", "可用金额"],
        }
    }
}

/// A list as a terminal shows it: text under headers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    pub fund_account: Option<String>,
    pub date: Option<String>,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// The number of rows that the terminal shows beside the list.
    pub total: Option<usize>,
}

/// An instant as the lists show it.
#[must_use]
pub fn show_time(at: Timestamp) -> String {
    let (date, us) = china_date_time(at);
    let (secs, us) = (us / 1_000_000, us % 1_000_000);
    format!("{date} {:02}:{:02}:{:02}.{us:06}", secs / 3_600, secs / 60 % 60, secs % 60)
}

/// Reads it back; without a date it is a time of `today`.
#[must_use]
pub fn read_time(text: &str, today: TradeDate) -> Option<Timestamp> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (TradeDate::parse(date)?, time),
        None => (today, text),
    };
    let (time, us) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || h > 23 || m > 59 || s > 59 || us.len() > 6 {
        return None;
    }
    let us: i64 = format!("{us:0<6}").parse().ok()?;
    Some(china_instant(date, h, m, s).plus(Span::from_us(us)))
}

/// What an operator or a test tells the broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Control {
    Open {
        account: String,
        level: Level,
        cash: Money,
        #[serde(default)]
        holdings: Vec<(Symbol, Qty)>,
    },
    Arm(super::fault::Arm),
    /// Forgets every armed fault, and ends what hangs.
    Disarm,
    /// How orders fill from now on, in all accounts or in one.
    Fills {
        #[serde(default)]
        account: Option<String>,
        policy: FillPolicy,
    },
    /// The price at which market orders fill.
    Price {
        symbol: Symbol,
        px: Price,
    },
    /// Fills a working order by hand: all of it without a quantity.
    Fill {
        account: String,
        no: String,
        #[serde(default)]
        qty: Option<Qty>,
    },
    /// A person trades in the same account by hand.
    Manual {
        account: String,
        symbol: Symbol,
        side: Side,
        qty: Qty,
        px: Price,
    },
    /// The trading day is over. The next one begins with empty lists, and no id of this one is known any more.
    Night,
}

/// How orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FillPolicy {
    AtOnce,
    After {
        ms: u64,
    },
    /// The first part at once, in whole lots, the rest `ms` later; without `ms` it stays.
    Partly {
        percent: u32,
        ms: Option<u64>,
    },
    /// As the seed has it: at once, in two parts, late or not at all.
    Random {
        ms: u64,
    },
    Never,
}
