//! New issues as their subscribers see them (新股申购): an order at the issue price on one day, which no market fills.
//!
//! Who gets shares is drawn by lot days later, and comes into the books as what the broker's lists show. In Shanghai and
//! Shenzhen money is paid by who gets some, then; Beijing sets the whole sum aside with the order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::csv::{CsvError, Table};
use crate::fees::{FeeRules, StampDutyOf};
use crate::instrument::{Board, Instruments};
use crate::rules::{DayRules, Hours, PriceLimit};
use crate::symbol::{Exchange, Symbol, SymbolError};
use crate::symbols::{board_of, issue_board_of};
use crate::units::{Money, Price, Qty, Ratio, TradeDate};

/// What differs from other day rules on the day on which an issue is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueTerms {
    pub price: Price,
    /// What it takes to trade the share that it becomes, takes its subscription too.
    pub board: Board,
    /// The whole sum is set aside with the order.
    pub prepaid: bool,
    /// The exchange takes orders from 09:15 on, not from 09:30.
    pub from_auction: bool,
}

/// The markets for which brokers state how much one may subscribe to (申购额度): by what one holds there.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum IssueMarket {
    /// Shanghai's main board.
    Sh,
    Star,
    Sz,
    Bj,
}

/// One issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIssue {
    /// The code that it is subscribed to by.
    pub symbol: Symbol,
    /// For people; never compared.
    pub name: Arc<str>,
    pub board: Board,
    /// The share that it becomes: in Shenzhen, and by now in Beijing, the same code.
    pub listing: Symbol,
    pub subscribe_on: TradeDate,
    pub price: Price,
    pub unit: Qty,
    pub quantity_max: Qty,
    /// Where the numbers are from.
    pub source: Arc<str>,
}

impl NewIssue {
    #[must_use]
    pub fn market(&self) -> IssueMarket {
        match (self.symbol.exchange(), self.board) {
            (Exchange::SZ, _) => IssueMarket::Sz,
            (Exchange::BJ, _) => IssueMarket::Bj,
            (_, Board::Star) => IssueMarket::Star,
            _ => IssueMarket::Sh,
        }
    }

    /// The most that somebody with this quota may subscribe to, in whole units; zero when that is not one unit. Without
    /// a quota the issue's own largest quantity: then it is the broker who says what is too much.
    #[must_use]
    pub fn quantity(&self, quota: Option<Qty>) -> Qty {
        self.quantity_max.min(quota.unwrap_or(Qty::MAX)).max(Qty::ZERO).floor_to_lot(self.unit)
    }

    #[must_use]
    pub fn prepaid(&self) -> bool {
        self.symbol.exchange() == Exchange::BJ
    }

    /// What holds on its day.
    #[must_use]
    pub fn rules(&self) -> DayRules {
        let free = FeeRules {
            commission: Ratio::ZERO,
            commission_cap: Ratio::ZERO,
            commission_min: Money::ZERO,
            stamp_duty_sell: Ratio::ZERO,
            stamp_duty_of: StampDutyOf::Seller,
            transfer_fee: Ratio::ZERO,
        };
        let terms = IssueTerms {
            price: self.price,
            board: self.board,
            prepaid: self.prepaid(),
            from_auction: self.symbol.exchange() == Exchange::SZ,
        };
        DayRules {
            buy_min: self.unit,
            buy_step: self.unit,
            sell_min: self.unit,
            sell_step: self.unit,
            order_max_limit: self.quantity_max,
            order_max_market: self.quantity_max,
            tick: TICK,
            // The price is one: it is checked for itself, and no previous close is needed for it.
            limit: PriceLimit::Unlimited,
            one_tick_floor: false,
            one_tick_floor_to: None,
            cage: None,
            min_holding_days: 1,
            closing_auction: false,
            hours: Hours::NoClosingAuction,
            after_hours: false,
            fees: free,
            contract: None,
            abroad: None,
            issue: Some(terms),
        }
    }
}

/// Shares are issued at whole cents.
const TICK: Price = Price::from_e4(100);

/// The text is no table of new issues.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuesError {
    #[error("new issues unreadable: {0}")]
    Csv(#[from] CsvError),
    #[error("line {line}: {column} has the bad symbol {value:?}")]
    Symbol { line: usize, column: &'static str, value: String, source: SymbolError },
    #[error("line {line}: {column} has the unknown value {value:?}")]
    Value { line: usize, column: &'static str, value: String },
    #[error("line {line}: {symbol} is no code by which issues of board {board} are subscribed to")]
    Code { line: usize, symbol: Symbol, board: Board },
    #[error("line {line}: {listing} is no share of board {board} that {symbol} can become")]
    Listing { line: usize, symbol: Symbol, listing: Symbol, board: Board },
    #[error("line {line}: quantity_max {most} is no multiple of the unit {unit}")]
    Units { line: usize, most: Qty, unit: Qty },
    #[error("line {line}: {symbol} appears twice")]
    Twice { line: usize, symbol: Symbol },
    #[error("{symbol} is listed since {listed_on}, and would be subscribed to on {subscribe_on}")]
    Listed { symbol: Symbol, listed_on: TradeDate, subscribe_on: TradeDate },
}

/// All known issues, by symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewIssues {
    sorted: Vec<NewIssue>,
}

impl NewIssues {
    pub const HEADER: &str = "symbol,name,board,listing,subscribe_on,issue_price,unit,quantity_max,source";

    /// Reads a table with the columns of [`NewIssues::HEADER`]: `board` is `main`, `star`, `chinext` or `bse`; prices
    /// are in yuan, quantities in shares.
    ///
    /// # Errors
    /// [`IssuesError`] names the first line with an unknown value, a code that does not fit its board or the share that
    /// it becomes, or a symbol that was there before.
    pub fn parse(csv: &str) -> Result<Self, IssuesError> {
        let table = Table::parse(csv)?;
        let [symbol, name, board, listing, subscribe_on, price, unit, quantity_max, source] = [
            table.column("symbol")?,
            table.column("name")?,
            table.column("board")?,
            table.column("listing")?,
            table.column("subscribe_on")?,
            table.column("issue_price")?,
            table.column("unit")?,
            table.column("quantity_max")?,
            table.column("source")?,
        ];
        let mut sorted: Vec<NewIssue> = Vec::with_capacity(table.rows().len());
        for row in table.rows() {
            let line = row.line;
            let unknown = |column, value: &str| IssuesError::Value { line, column, value: value.to_owned() };
            let code = |column: &'static str, text: &str| {
                let bad = |source| IssuesError::Symbol { line, column, value: text.to_owned(), source };
                Symbol::parse(text).map_err(bad)
            };
            let shares = |column, text: &str| {
                let qty = text.parse().ok().map(Qty::new).filter(|qty| qty.is_positive() && *qty <= Qty::MAX);
                qty.ok_or_else(|| unknown(column, text))
            };
            let on_tick = |price: &Price| price.is_positive() && price.e4() % TICK.e4() == 0;
            let issue = NewIssue {
                symbol: code("symbol", row.get(symbol))?,
                name: row.get(name).into(),
                board: row.get(board).parse().map_err(|_| unknown("board", row.get(board)))?,
                listing: code("listing", row.get(listing))?,
                subscribe_on: TradeDate::parse(row.get(subscribe_on))
                    .ok_or_else(|| unknown("subscribe_on", row.get(subscribe_on)))?,
                price: Price::parse(row.get(price))
                    .ok()
                    .filter(on_tick)
                    .ok_or_else(|| unknown("issue_price", row.get(price)))?,
                unit: shares("unit", row.get(unit))?,
                quantity_max: shares("quantity_max", row.get(quantity_max))?,
                source: row.get(source).into(),
            };
            issue.check(line)?;
            if sorted.iter().any(|known| known.symbol == issue.symbol) {
                return Err(IssuesError::Twice { line, symbol: issue.symbol });
            }
            sorted.push(issue);
        }
        sorted.sort_by_key(|issue| issue.symbol);
        Ok(Self { sorted })
    }

    /// Whether the issues and the instruments tell one story: what is listed is not subscribed to any more.
    ///
    /// # Errors
    /// [`IssuesError::Listed`] for the first one that is listed on its day or before.
    pub fn fit(&self, instruments: &Instruments) -> Result<(), IssuesError> {
        for issue in &self.sorted {
            let share = [issue.listing, issue.symbol].into_iter().find_map(|symbol| instruments.get(symbol));
            if let Some(listed_on) = share.and_then(|share| share.listed_on)
                && listed_on <= issue.subscribe_on
            {
                let NewIssue { symbol, subscribe_on, .. } = *issue;
                return Err(IssuesError::Listed { symbol, listed_on, subscribe_on });
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn get(&self, symbol: Symbol) -> Option<&NewIssue> {
        self.sorted.binary_search_by_key(&symbol, |issue| issue.symbol).ok().and_then(|at| self.sorted.get(at))
    }

    /// Those that are subscribed to on the day, in the order of their symbols.
    pub fn of_day(&self, date: TradeDate) -> impl Iterator<Item = &NewIssue> {
        self.sorted.iter().filter(move |issue| issue.subscribe_on == date)
    }

    /// In the order of their symbols.
    pub fn iter(&self) -> std::slice::Iter<'_, NewIssue> {
        self.sorted.iter()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl<'a> IntoIterator for &'a NewIssues {
    type Item = &'a NewIssue;
    type IntoIter = std::slice::Iter<'a, NewIssue>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl NewIssue {
    fn check(&self, line: usize) -> Result<(), IssuesError> {
        let Self { symbol, listing, board, unit, quantity_max, .. } = *self;
        if issue_board_of(symbol) != Some(board) {
            return Err(IssuesError::Code { line, symbol, board });
        }
        // A code of a listed share stands for itself; Shanghai's stand for another one, as Beijing's 889 did.
        let own = board_of(symbol) == Some(board) && !symbol.code().starts_with("889");
        let becomes = board_of(listing) == Some(board) && listing.exchange() == symbol.exchange();
        if !becomes || own != (listing == symbol) {
            return Err(IssuesError::Listing { line, symbol, listing, board });
        }
        if !quantity_max.is_multiple_of(unit) {
            return Err(IssuesError::Units { line, most: quantity_max, unit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Codes and numbers that are made up: what is real is the form.
    const ROWS: [&str; 4] = [
        "732999.SH,甲,main,603999.SH,2025-03-04,12.34,500,13500,made up",
        "787999.SH,乙,star,688999.SH,2025-03-04,56.78,500,9000,made up",
        "301999.SZ,丙,chinext,301999.SZ,2025-03-05,7.5,500,10500,made up",
        "889999.BJ,丁,bse,920999.BJ,2025-03-04,9.10,100,900000,made up",
    ];

    fn table(rows: &[&str]) -> Result<NewIssues, String> {
        let text = format!("{}\n{}\n", NewIssues::HEADER, rows.join("\n"));
        NewIssues::parse(&text).map_err(|e| e.to_string())
    }

    #[test]
    fn issues_are_found_by_their_day_and_market() {
        let all = table(&ROWS).unwrap();
        let day = |text| TradeDate::parse(text).unwrap();
        let of = |date| all.of_day(day(date)).map(|i| i.symbol.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(of("2025-03-04"), "732999.SH 787999.SH 889999.BJ");
        assert_eq!(of("2025-03-05"), "301999.SZ");
        assert_eq!(of("2025-03-06"), "");
        let markets = all.iter().map(|i| format!("{} {}", i.market(), i.prepaid()));
        assert_eq!(markets.collect::<Vec<_>>(), ["SZ false", "SH false", "STAR false", "BJ true"]);
        let shipped = NewIssues::parse(include_str!("../../conf/instruments/new_issues.csv")).unwrap();
        assert!(shipped.is_empty(), "no open data about issues to come exists");
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused_with_its_line() {
        let refuse = |row: &str| table(&[ROWS[0], row]).unwrap_err();
        let star = ROWS[1];
        assert_eq!(refuse(ROWS[0]), "line 3: 732999.SH appears twice");
        assert_eq!(
            refuse(&star.replace(",star,", ",main,")),
            "line 3: 787999.SH is no code by which issues of board main are subscribed to"
        );
        assert_eq!(
            refuse(&star.replace("787999", "688999")),
            "line 3: 688999.SH is no code by which issues of board star are subscribed to"
        );
        assert_eq!(
            refuse(&star.replace("688999", "600999")),
            "line 3: 600999.SH is no share of board star that 787999.SH can become"
        );
        assert_eq!(
            refuse(&ROWS[2].replace(",301999", ",301998")),
            "line 3: 301998.SZ is no share of board chinext that 301999.SZ can become"
        );
        assert_eq!(refuse(&star.replace("9000", "9100")), "line 3: quantity_max 9100 is no multiple of the unit 500");
        assert_eq!(refuse(&star.replace("787999.SH", "787999")), "line 3: symbol has the bad symbol \"787999\"");
        for (good, bad, column) in [
            ("star", "kcb", "board"),
            ("2025-03-04", "soon", "subscribe_on"),
            ("56.78", "0", "issue_price"),
            ("56.78", "56.785", "issue_price"),
            ("56.78", "5e1", "issue_price"),
            (",500,", ",0,", "unit"),
            ("9000", "-500", "quantity_max"),
            ("9000", "9000.5", "quantity_max"),
        ] {
            let shown = bad.trim_matches(',');
            let expected = format!("line 3: {column} has the unknown value {shown:?}");
            assert_eq!(refuse(&star.replace(good, bad)), expected);
        }
        assert_eq!(refuse("787998.SH,short"), "new issues unreadable: line 3: 2 fields, the header has 9");
    }

    #[test]
    fn what_is_listed_is_not_subscribed_to_any_more() {
        let share =
            "symbol,name,board,st,settle,etf_20pct,listed_on,currency\n301999.SZ,丙,chinext,0,ordinary,0,DAY,CNY\n";
        let fit = |day| table(&ROWS).unwrap().fit(&Instruments::parse(&share.replace("DAY", day)).unwrap());
        assert_eq!(fit("2025-03-14"), Ok(()));
        assert_eq!(fit(""), Ok(()));
        assert_eq!(
            fit("2025-03-05").unwrap_err().to_string(),
            "301999.SZ is listed since 2025-03-05, and would be subscribed to on 2025-03-05"
        );
    }

    proptest! {
        #![proptest_config(crate::cases::config())]

        /// The oracle counts units up, one by one.
        #[test]
        fn a_quota_buys_as_many_units_as_fit_into_it_and_into_the_issue(
            unit in 1_i64..700,
            units in 1_i64..60,
            quota in proptest::option::of(-100_i64..50_000),
        ) {
            let all = table(&ROWS).unwrap();
            let issue = NewIssue { unit: Qty::new(unit), quantity_max: Qty::new(unit * units), ..all.sorted[0].clone() };
            let mut fits = 0;
            for _ in 0..units {
                if quota.is_none_or(|quota| fits + unit <= quota) {
                    fits += unit;
                }
            }
            let found = issue.quantity(quota.map(Qty::new));
            prop_assert_eq!(found, Qty::new(fits));
            // What it says is what the day's rules take.
            let rules = issue.rules();
            prop_assert!(found.is_zero() || rules.check_qty(crate::order::Side::Buy, found, Qty::ZERO).is_ok());
        }
    }
}
