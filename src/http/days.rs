//! An account day by day: what it was worth at each close, and what moved its cash.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::ids::AccountId;
use signalbox_domain::ledger::{DayOver, Flows};
use signalbox_domain::units::{Money, Ratio, TradeDate};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, readable_account, require};
use super::front::Front;
use super::json::{PathName, StrictQuery};
use super::portfolio::Portfolio;
use super::problem::{Code, Problem};
use super::{Missing, Refusals};
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_equity).service(list_cash_flows);
}

/// Trading days of a year.
const DAYS_DEFAULT: u64 = 250;
const DAYS_MAX: u64 = 2_500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DaysQuery {
    /// The first trading day.
    #[param(max_length = 10, example = "2026-01-05", nullable = false)]
    from: Option<String>,
    /// The last one; the present day when left away.
    #[param(max_length = 10, example = "2026-11-20", nullable = false)]
    to: Option<String>,
    /// Of the days between, the newest so many.
    #[param(minimum = 1, maximum = 2500, default = 250, nullable = false)]
    limit: Option<u64>,
}

/// What an account was worth, day by day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EquityCurve, example = json!({
    "account": "paper-a", "currency": "CNY", "items": [
        {"trade_date": "2026-11-19", "equity": "1000000", "cash": "400000", "adjustments": "0", "nav": "1", "drawdown": "0", "closed": true},
        {"trade_date": "2026-11-20", "equity": "1109000", "cash": "498950", "adjustments": "100000", "nav": "1.008182", "drawdown": "0", "closed": false},
    ],
}))]
struct EquityView {
    account: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// The oldest first.
    items: Vec<EquityDay>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EquityDay)]
struct EquityDay {
    trade_date: String,
    /// At the close, and of the present day at the newest prices. Null where the close of something that was held is not known.
    equity: Option<String>,
    cash: String,
    /// What a person booked on the day: deposits, withdrawals, corrections of cash.
    adjustments: String,
    /// Net asset value of a unit: 1 on the first of these days, and from then on what the account made of it. What was
    /// paid in and out counts as there from the day's beginning, and moves no value.
    nav: Option<String>,
    /// By how much of its highest value among these days the unit is below it.
    drawdown: Option<String>,
    /// Of the present day: no.
    closed: bool,
}

/// What moved the cash of an account, day by day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CashFlows, example = json!({
    "account": "paper-a", "currency": "CNY", "items": [
        {"trade_date": "2026-11-20", "opening_cash": "400000", "trades": "-1000", "fees": "-5.01", "loans": "0", "settlements": "0",
         "corporate_actions": "0", "adjustments": "100000", "cash": "498994.99", "closed": false},
    ],
}))]
struct CashFlowsView {
    account: String,
    #[schema(example = "CNY")]
    currency: &'static str,
    /// The oldest first.
    items: Vec<CashFlowsDay>,
}

/// Money in, less money out, by its cause. `opening_cash` and all of them make `cash`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CashFlowsDay)]
struct CashFlowsDay {
    trade_date: String,
    /// On an account's first day what it was opened with.
    opening_cash: String,
    /// Sales less purchases; of contracts, what closes brought against their last settlement.
    trades: String,
    fees: String,
    /// By bond repo: what came back with its interest, less what was lent.
    loans: String,
    /// Of contracts, at the close.
    settlements: String,
    /// Dividends before tax, on the ex-date.
    corporate_actions: String,
    adjustments: String,
    cash: String,
    closed: bool,
}

/// The days of one account that were asked for, the oldest first.
struct Days {
    account: AccountId,
    currency: &'static str,
    over: Vec<DayOver>,
    /// The present one, where it was asked for and its flows are known.
    open: Option<DayOver>,
}

impl Days {
    async fn read(principal: &Principal, id: &str, query: DaysQuery, front: &Front) -> Result<Self, Problem> {
        require(principal, Scope::AccountsRead)?;
        let account = readable_account(principal, id, |account| front.account(account).is_some())?;
        let (from, to) = (date(query.from, "from")?, date(query.to, "to")?);
        let most = match query.limit.unwrap_or(DAYS_DEFAULT) {
            limit @ 1..=DAYS_MAX => limit,
            _ => return Err(bad("limit", "1 to 2500 days")),
        };
        let portfolio = Portfolio::load(front, &account).await?;
        let now = portfolio.trade_date.zip(portfolio.flows);
        let open = now.filter(|(day, _)| from.is_none_or(|from| from <= *day) && to.is_none_or(|to| *day <= to));
        let open = open.map(|(date, flows)| DayOver { date, flows, equity: Some(portfolio.equity()) });
        let over = front.store.account_days(&account, (from, to), most).await?;
        let too_many = (over.len() + usize::from(open.is_some())).saturating_sub(usize::try_from(most).unwrap_or(0));
        Ok(Self { account, currency: portfolio.currency.into(), over: over.into_iter().skip(too_many).collect(), open })
    }

    /// Each day, and whether it is over.
    fn all(&self) -> impl Iterator<Item = (&DayOver, bool)> {
        self.over.iter().map(|day| (day, true)).chain(self.open.iter().map(|day| (day, false)))
    }
}

fn date(text: Option<String>, name: &'static str) -> Result<Option<TradeDate>, Problem> {
    text.map(|text| TradeDate::parse(&text).ok_or_else(|| bad(name, "a day as 2026-11-20"))).transpose()
}

fn bad(field: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidQuery).detail(detail).field(field)
}

/// The equity curve of an account (权益曲线): what it was worth at each close, with its unit's value.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a"), DaysQuery),
    responses((status = 200, body = EquityView), Refusals, Missing))]
#[get("/v1/accounts/{id}/equity")]
async fn list_equity(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<DaysQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<EquityView>, Problem> {
    let days = Days::read(&principal, &id.0, query.0, &front).await?;
    let mut unit = Unit::default();
    let items = days.all().map(|(day, closed)| {
        let nav = unit.next(day.equity, day.flows.adjustments);
        EquityDay {
            trade_date: day.date.to_string(),
            equity: day.equity.map(|equity| equity.to_string()),
            cash: day.flows.cash().to_string(),
            adjustments: day.flows.adjustments.to_string(),
            nav: nav.map(|nav| ratio(nav.value)),
            drawdown: nav.map(|nav| ratio(nav.drawdown())),
            closed,
        }
    });
    Ok(web::Json(EquityView { account: days.account.to_string(), currency: days.currency, items: items.collect() }))
}

/// What moved an account's cash (资金流水), by cause and day; its fills are `GET /v1/fills`.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a"), DaysQuery),
    responses((status = 200, body = CashFlowsView), Refusals, Missing))]
#[get("/v1/accounts/{id}/cash-flows")]
async fn list_cash_flows(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<DaysQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<CashFlowsView>, Problem> {
    let days = Days::read(&principal, &id.0, query.0, &front).await?;
    let items = days.all().map(|(day, closed)| {
        let Flows { opening, trades, fees, loans, settlements, corporate_actions, adjustments } = day.flows;
        CashFlowsDay {
            trade_date: day.date.to_string(),
            opening_cash: opening.to_string(),
            trades: trades.to_string(),
            fees: fees.to_string(),
            loans: loans.to_string(),
            settlements: settlements.to_string(),
            corporate_actions: corporate_actions.to_string(),
            adjustments: adjustments.to_string(),
            cash: day.flows.cash().to_string(),
            closed,
        }
    });
    let (account, currency) = (days.account.to_string(), days.currency);
    Ok(web::Json(CashFlowsView { account, currency, items: items.collect() }))
}

/// In 1/1,000,000,000,000: ten years of days round by less than the sixth decimal that is shown.
type Nav = i128;
const ONE: Nav = 1_000_000_000_000;

/// The value of a unit of an account, from day to day.
#[derive(Debug, Default)]
struct Unit {
    /// What the account was worth when its worth was known last, with what was paid in and out since, and the unit then.
    last: Option<(Money, Nav)>,
    highest: Nav,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Valued {
    value: Nav,
    highest: Nav,
}

impl Valued {
    const fn drawdown(self) -> Nav {
        if self.highest > 0 { (self.highest - self.value) * ONE / self.highest } else { 0 }
    }
}

impl Unit {
    /// Nothing for a day whose close is not known, and for one that began with nothing or less.
    fn next(&mut self, equity: Option<Money>, adjustments: Money) -> Option<Valued> {
        let Some((base, nav)) = self.last else {
            let equity = equity.filter(|equity| equity.is_positive())?;
            (self.last, self.highest) = (Some((equity, ONE)), ONE);
            return Some(Valued { value: ONE, highest: ONE });
        };
        let base = base + adjustments;
        let Some(equity) = equity else {
            self.last = Some((base, nav));
            return None;
        };
        if !base.is_positive() {
            self.last = Some((equity, nav));
            return None;
        }
        let value = nav * i128::from(equity.e4()) / i128::from(base.e4());
        (self.last, self.highest) = (Some((equity, value)), self.highest.max(value));
        Some(Valued { value, highest: self.highest })
    }
}

/// Rounded to six decimals, half away from zero.
fn ratio(value: Nav) -> String {
    let step = ONE / 1_000_000;
    let half = if value < 0 { -step / 2 } else { step / 2 };
    Ratio::from_e6(i64::try_from((value + half) / step).unwrap_or(i64::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(days: &[(Option<i64>, i64)]) -> Vec<Option<(String, String)>> {
        let mut unit = Unit::default();
        let money = |units: i64| Money::from_units(units);
        let of = |(equity, paid): &(Option<i64>, i64)| unit.next(equity.map(money), money(*paid));
        days.iter().map(of).map(|valued| valued.map(|v| (ratio(v.value), ratio(v.drawdown())))).collect()
    }

    fn at(value: &str, drawdown: &str) -> Option<(String, String)> {
        Some((value.to_owned(), drawdown.to_owned()))
    }

    #[test]
    fn what_is_paid_in_and_out_moves_no_value() {
        let days = [(Some(1_000), 0), (Some(1_100), 0), (Some(2_200), 1_100), (Some(1_100), -1_100)];
        assert_eq!(units(&days), [at("1", "0"), at("1.1", "0"), at("1.1", "0"), at("1.1", "0")]);
    }

    #[test]
    fn a_loss_is_measured_from_the_highest_value() {
        let days = [(Some(1_000), 0), (Some(1_250), 0), (Some(1_000), 0), (Some(1_300), 0)];
        assert_eq!(units(&days), [at("1", "0"), at("1.25", "0"), at("1", "0.2"), at("1.3", "0")]);
    }

    #[test]
    fn a_day_without_a_close_is_bridged_with_what_was_paid_on_it() {
        let days = [(None, 0), (Some(1_000), 500), (None, 500), (Some(1_650), 0)];
        assert_eq!(units(&days), [None, at("1", "0"), None, at("1.1", "0")]);
    }

    #[test]
    fn an_account_that_was_emptied_goes_on_where_it_was() {
        let days = [(Some(1_000), 0), (Some(900), 0), (Some(0), -900), (Some(500), 500), (Some(550), 0)];
        assert_eq!(units(&days), [at("1", "0"), at("0.9", "0.1"), None, at("0.9", "0.1"), at("0.99", "0.01")]);
    }

    #[test]
    fn a_third_is_rounded() {
        assert_eq!(units(&[(Some(3), 0), (Some(2), 0)])[1], at("0.666667", "0.333333"));
    }
}
