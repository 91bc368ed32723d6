//! What the lists of signals, orders and fills have in common: filters, pages and cursors.

use serde::Deserialize;
use signalbox_domain::calendar::china_instant;
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::symbols::resolve;
use signalbox_domain::units::{Timestamp, TradeDate};
use utoipa::IntoParams;

use super::dto;
use super::page::{Page, PageQuery, cursor};
use super::problem::{Code, Problem};
use crate::store::ListFilter;

/// Of the characters in a list of statuses; all of them together are shorter.
const STATUS_MAX: usize = 200;

/// What one may ask a list for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of one account.
    #[param(max_length = 64, nullable = false)]
    pub account: Option<String>,
    /// Of one strategy.
    #[param(max_length = 64, nullable = false)]
    pub strategy: Option<String>,
    /// Of one instrument, in any spelling.
    #[param(max_length = 32, nullable = false)]
    pub symbol: Option<String>,
    /// One status, or several with commas between them.
    #[param(max_length = 200, nullable = false)]
    pub status: Option<String>,
    /// At or after this time, or the beginning of this day.
    #[param(max_length = 40, nullable = false)]
    pub from: Option<String>,
    /// Before this time, or the beginning of this day.
    #[param(max_length = 40, nullable = false)]
    pub to: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(max_length = 400, nullable = false)]
    pub cursor: Option<String>,
}

/// What one may ask the list of signals for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SignalsQuery {
    /// Of one account.
    #[param(max_length = 64, nullable = false)]
    account: Option<String>,
    /// Of one strategy.
    #[param(max_length = 64, nullable = false)]
    strategy: Option<String>,
    /// Of one instrument, in any spelling.
    #[param(max_length = 32, nullable = false)]
    symbol: Option<String>,
    /// One status, or several with commas between them.
    #[param(max_length = 200, nullable = false)]
    status: Option<String>,
    /// Of one basket.
    #[param(max_length = 64, nullable = false)]
    basket_id: Option<String>,
    /// At or after this time, or the beginning of this day.
    #[param(max_length = 40, nullable = false)]
    from: Option<String>,
    /// Before this time, or the beginning of this day.
    #[param(max_length = 40, nullable = false)]
    to: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(max_length = 400, nullable = false)]
    cursor: Option<String>,
}

impl SignalsQuery {
    /// What all lists have, and the basket.
    ///
    /// # Errors
    /// 400 when there can be no such basket.
    pub fn split(self) -> Result<(ListQuery, Option<String>), Problem> {
        let Self { account, strategy, symbol, status, basket_id, from, to, limit, cursor } = self;
        if let Some(basket) = &basket_id {
            not_longer(basket, 64, "basket_id")?;
        }
        Ok((ListQuery { account, strategy, symbol, status, from, to, limit, cursor }, basket_id))
    }
}

impl ListQuery {
    /// The filter but for accounts, and how many items the page has. The filter asks for one line more, which tells
    /// whether there is a next page.
    ///
    /// # Errors
    /// 400 with the parameter that cannot be.
    pub fn filter<S>(&self) -> Result<(ListFilter, usize), Problem>
    where
        S: std::str::FromStr + Into<&'static str>,
    {
        let page = PageQuery { limit: self.limit, cursor: self.cursor.clone() };
        let limit = page.limit()?;
        let mut filter = ListFilter { limit: limit as u64 + 1, before: before(&page)?, ..ListFilter::default() };
        if let Some(text) = &self.account {
            account(text)?;
        }
        if let Some(text) = &self.strategy {
            filter.strategy = Some(StrategyId::parse(text).map_err(|_| bad("strategy", "not the name of a strategy"))?);
        }
        if let Some(text) = &self.symbol {
            filter.symbol = Some(resolve(text).map_err(|_| bad("symbol", "not a symbol"))?);
        }
        if let Some(text) = &self.status {
            not_longer(text, STATUS_MAX, "status")?;
            let word = |word: &str| word.parse::<S>().map(Into::into).map_err(|_| bad("status", "no such status"));
            filter.statuses = Some(text.split(',').map(word).collect::<Result<_, _>>()?);
        }
        filter.from = self.from.as_deref().map(|text| time(text, "from")).transpose()?;
        filter.to = self.to.as_deref().map(|text| time(text, "to")).transpose()?;
        Ok((filter, limit))
    }
}

/// Whether the reader may see the account is another question; here it only has to be a name.
///
/// # Errors
/// 400 for what is no name of an account.
pub fn account(text: &str) -> Result<AccountId, Problem> {
    AccountId::parse(text).map_err(|_| bad("account", "not the name of an account"))
}

/// # Errors
/// 400 for a text that is longer than its schema says.
pub fn not_longer(text: &str, max: usize, name: &'static str) -> Result<(), Problem> {
    if text.chars().count() > max { Err(bad(name, "too long")) } else { Ok(()) }
}

/// A time with an offset, or a day of the mainland.
///
/// # Errors
/// 400 with the parameter.
pub fn time(text: &str, name: &'static str) -> Result<Timestamp, Problem> {
    if let Some(date) = TradeDate::parse(text) {
        return Ok(china_instant(date, 0, 0, 0));
    }
    // A plus sign that was not escaped arrives as a blank.
    dto::instant(&text.replace(' ', "+"), name).map_err(|_| bad(name, "a time with its offset, or a day"))
}

/// The id that the page before ended with.
///
/// # Errors
/// 400 when the cursor is not one of ours.
pub fn before(page: &PageQuery) -> Result<Option<u64>, Problem> {
    let Some((id, name)) = page.after()? else { return Ok(None) };
    match u64::try_from(id) {
        Ok(id) if name.is_empty() => Ok(Some(id)),
        _ => Err(Problem::new(Code::InvalidCursor).field("cursor")),
    }
}

/// Makes the page out of one line more than it has.
pub fn page<S, T>(mut lines: Vec<S>, limit: usize, id: impl Fn(&S) -> u64, view: impl Fn(&S) -> T) -> Page<T> {
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next_cursor = lines.last().filter(|_| more).map(|last| cursor(id(last) as i64, ""));
    Page { items: lines.iter().map(view).collect(), next_cursor }
}

fn bad(name: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidQuery).detail(detail).field(name)
}
