//! The lists of the fake broker, and all that can be wrong with one.

use signalbox_domain::broker::Level;
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::order::Side;
use signalbox_domain::units::{Money, Qty, Span};

use super::fault::{Fault, Group, Strike};
use super::state::{Acc, Answer, FakeBroker, How, held, show_no};
use super::truth::Truth;
use super::wire::{Grid, List, ListRequest, Status, show_time};

/// What a truncated list shows.
const PAGE: usize = 100;

/// How far the numbers of a restarted terminal are from the true ones.
const RENUMBERED_BY: u64 = 500_000;

/// What [`Fault::ListRenumbered`] makes of an order's number.
#[must_use]
pub fn renumbered(no: &str) -> String {
    no.parse().map_or_else(|_| no.to_owned(), |no: u64| show_no(no + RENUMBERED_BY))
}

impl FakeBroker {
    /// One list of an account. `None`: the broker has no such list, or no session.
    pub fn list(&mut self, request: &ListRequest) -> Answer<Option<Grid>> {
        self.tick(request.at);
        let account = request.account.as_str();
        let known = self.accounts.get(account).is_some_and(|acc| acc.level >= Level::L1);
        if !known || self.session_is_over(account) {
            return Answer { what: None, how: How::Now };
        }
        let strike = self.strike(account, |fault| match fault.group() {
            Group::Lists => suits(fault, request.list),
            Group::Account => matches!(
                (fault, request.list),
                (Fault::CashLag | Fault::FrozenNotShown, List::Cash)
                    | (
                        Fault::SellableLate | Fault::CorporateAction | Fault::ZeroRow | Fault::SameCodeTwoExchanges,
                        List::Positions
                    )
            ),
            _ => false,
        });
        let grid = self.grid(account, request.list, strike);
        let (at, list, rows) = (self.now(), request.list, grid.rows.len());
        let fault = strike.map(|strike| strike.fault);
        self.write(Truth::Served { at, account: account.to_owned(), list, rows, fault });
        if let Some(acc) = self.accounts.get_mut(account) {
            acc.last_grid = Some(grid.clone());
        }
        Answer { what: Some(grid), how: How::Now }
    }

    fn grid(&self, account: &str, list: List, strike: Option<Strike>) -> Grid {
        let fault = strike.map(|strike| strike.fault);
        let mut whose = account;
        if fault == Some(Fault::ListOtherAccount) {
            whose = self.accounts.keys().find(|name| *name != account).map_or("somebody-else", |name| name);
        }
        let empty = Grid { columns: headers(list), total: Some(0), ..Grid::default() };
        let mut grid = self.accounts.get(whose).map_or(empty, |acc| self.plain(acc, list, strike));
        grid.fund_account = Some(whose.to_owned());
        grid.date = Some(china_date_time(self.now()).0.to_string());
        match fault {
            Some(Fault::ListEmptyOnFailure) => {
                (grid.columns, grid.rows, grid.total) = (Vec::new(), Vec::new(), Some(0));
            }
            Some(Fault::ListPrevious) => {
                grid = self.accounts.get(account).and_then(|acc| acc.last_grid.clone()).unwrap_or_default();
            }
            Some(Fault::ListTruncated) => grid.rows.truncate(PAGE),
            Some(Fault::ListYesterday) => {
                let yesterday = self.now().plus(Span::from_secs(-86_400));
                grid.date = Some(china_date_time(yesterday).0.to_string());
                grid.rows.clear();
                grid.total = Some(0);
            }
            Some(Fault::ListDuplicateRows) => {
                grid.rows = grid.rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
                grid.total = Some(grid.rows.len());
            }
            Some(Fault::ListColumnsSwapped) => {
                grid.columns.rotate_left(1);
                grid.rows.iter_mut().for_each(|row| row.rotate_left(1));
            }
            Some(Fault::ListThousands) => {
                for row in &mut grid.rows {
                    for (cell, column) in row.iter_mut().zip(&grid.columns) {
                        if ["数量", "余额", "金额", "价格"].iter().any(|word| column.contains(word)) {
                            *cell = thousands(cell);
                        }
                    }
                }
            }
            Some(Fault::ListTimeWithoutDate) => {
                for row in &mut grid.rows {
                    for (cell, column) in row.iter_mut().zip(&grid.columns) {
                        if column.contains("时间")
                            && let Some((_, time)) = cell.split_once(' ')
                        {
                            *cell = time.to_owned();
                        }
                    }
                }
            }
            _ => {}
        }
        grid
    }

    fn plain(&self, acc: &Acc, list: List, strike: Option<Strike>) -> Grid {
        let fault = strike.map(|strike| strike.fault);
        let young = strike.filter(|strike| strike.fault == Fault::ListMissingNewest).map_or(0, |strike| strike.ms);
        let newest = self.now().plus(Span::from_ms(-i64::try_from(young).unwrap_or(0)));
        let number = |no: u64| show_no(if fault == Some(Fault::ListRenumbered) { no + RENUMBERED_BY } else { no });
        let rows: Vec<Vec<String>> = match list {
            List::Orders => {
                let of_day = acc.orders.values().filter(|book| book.order.no > acc.before.0);
                let shown = of_day.filter(|book| young == 0 || book.at <= newest);
                shown
                    .map(|book| {
                        let cum = if fault == Some(Fault::ListCumLags) { Qty::ZERO } else { book.cum_qty };
                        vec![
                            show_time(book.at),
                            number(book.order.no),
                            book.order.symbol.to_string(),
                            side(book.order.side).to_owned(),
                            book.order.qty.to_string(),
                            book.order.px.map_or("市价".to_owned(), |px| px.to_string()),
                            cum.to_string(),
                            book.canceled_qty.to_string(),
                            status(book.status, cum, book.order.no, fault).to_owned(),
                            book.order.tag.clone().unwrap_or_default(),
                        ]
                    })
                    .collect()
            }
            List::Trades => {
                let lag = usize::from(fault == Some(Fault::ListTradesLag));
                let of_day = acc.trades.get(acc.before.1..).unwrap_or_default();
                let shown = of_day.iter().take(of_day.len() - lag.min(of_day.len()));
                shown
                    .filter(|trade| young == 0 || trade.at <= newest)
                    .map(|trade| {
                        vec![
                            show_time(trade.at),
                            trade.exec.clone(),
                            number(trade.no),
                            trade.symbol.to_string(),
                            side(trade.side).to_owned(),
                            trade.qty.to_string(),
                            trade.px.to_string(),
                        ]
                    })
                    .collect()
            }
            List::Positions => positions(acc, fault),
            List::Cash => {
                let total = if fault == Some(Fault::CashLag) { acc.cash_before } else { acc.cash };
                let frozen = if fault == Some(Fault::FrozenNotShown) { Money::ZERO } else { self.frozen_cash(acc) };
                vec![vec![total.to_string(), (total - frozen).to_string()]]
            }
        };
        Grid { fund_account: None, date: None, columns: headers(list), total: Some(rows.len()), rows }
    }
}

fn positions(acc: &Acc, fault: Option<Fault>) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (symbol, qty) in acc.holdings.iter().filter(|(_, qty)| !qty.is_zero()) {
        let mut free = *qty - held(acc, *symbol);
        if fault == Some(Fault::SellableLate) {
            free = Qty::ZERO;
        }
        let times = if fault == Some(Fault::CorporateAction) { 2 } else { 1 };
        let shown = |qty: Qty| (qty.get() * times).to_string();
        rows.push(vec![symbol.to_string(), shown(*qty), shown(free)]);
        if fault == Some(Fault::SameCodeTwoExchanges) {
            let other = if symbol.to_string().ends_with("SZ") { "SH" } else { "SZ" };
            rows.push(vec![format!("{}.{other}", symbol.code()), "100".to_owned(), "100".to_owned()]);
        }
    }
    if fault == Some(Fault::ZeroRow) {
        rows.push(vec!["600036.SH".to_owned(), "0".to_owned(), "0".to_owned()]);
    }
    rows
}

fn suits(fault: Fault, list: List) -> bool {
    match fault {
        Fault::ListCumLags | Fault::ListStatusUnknown => list == List::Orders,
        Fault::ListTradesLag => list == List::Trades,
        Fault::ListMissingNewest | Fault::ListRenumbered | Fault::ListTimeWithoutDate => {
            matches!(list, List::Orders | List::Trades)
        }
        // The first list of a read has none before it that could be in the clipboard.
        Fault::ListPrevious => list != List::Orders,
        _ => true,
    }
}

fn headers(list: List) -> Vec<String> {
    list.columns().iter().map(|column| (*column).to_owned()).collect()
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "买入",
        Side::Sell => "卖出",
    }
}

fn status(status: Status, cum: Qty, no: u64, fault: Option<Fault>) -> &'static str {
    if fault == Some(Fault::ListStatusUnknown) {
        return ["处理中?", "PENDING", "ÒÑ±¨"][(no % 3) as usize]; // the last one is GBK read as Latin-1
    }
    match status {
        Status::Working if cum.is_zero() => "已报",
        Status::Working => "部成",
        Status::Filled => "已成",
        Status::Canceled if cum.is_zero() => "已撤",
        Status::Canceled => "部撤",
        Status::Junk => "废单",
    }
}

fn thousands(number: &str) -> String {
    let (whole, part) = number.split_once('.').unwrap_or((number, "00"));
    if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut shown = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    format!("{shown}.{part}")
}
