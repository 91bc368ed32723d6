//! Whose the shares are: holdings that were there before us, transfers between strategies, corrections. Each is a fact of
//! the journal with who and why, and no money moves by it.

use actix_web::{HttpRequest, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::account::{BookOrder, Rebook, Unbookable};
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::ledger::{Adjustment, OpeningHolding, Transfer};
use signalbox_domain::market::is_future;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, TradeDate};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Admin, readable_account};
use super::dto::{self, PriceIn, QtyIn};
use super::exceptions::existing_book;
use super::front::Front;
use super::intake::{IDEMPOTENCY_KEY, who};
use super::json::StrictJson;
use super::portfolio::{BookView, Portfolio};
use super::problem::{Code, Problem};
use super::trading_state::check_note;
use super::{BodyRefusals, Conflicts, Missing, Refusals};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(import_books).service(transfer_book).service(adjust_book);
}

/// More than an account of a person holds, and well within a body.
const ITEMS_MAX: usize = 500;

/// The columns of [`ImportBody::csv`].
const COLUMNS: &str = "strategy,symbol,quantity,cost,entry_date";

/// One holding and whose it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportedHolding)]
struct HoldingIn {
    /// `EXTERNAL` for what nobody claims, in accounts whose broker shows no lists.
    #[schema(max_length = 64)]
    strategy: String,
    #[schema(max_length = 32)]
    symbol: String,
    quantity: QtyIn,
    /// What each share cost.
    cost: PriceIn,
    /// The trading day on which it was bought, where that is known.
    #[serde(default)]
    #[schema(max_length = 10)]
    entry_date: Option<String>,
}

/// Whose the account's holdings are: `items`, or the text of a file in `csv`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportBooks, example = json!({"account": "paper-a", "note": "joined on 2026-11-20", "items": [
    {"strategy": "EXTERNAL", "symbol": "600000.XSHG", "quantity": 1000, "cost": "10.50", "entry_date": "2018-10-12"}]}))]
struct ImportBody {
    #[schema(max_length = 64)]
    account: String,
    #[serde(default)]
    #[schema(max_items = 500)]
    items: Option<Vec<HoldingIn>>,
    /// With the header `strategy,symbol,quantity,cost,entry_date`; the last column may be empty.
    #[serde(default)]
    #[schema(max_length = 60000)]
    csv: Option<String>,
    /// Why. It is kept for ever.
    #[schema(min_length = 1, max_length = 500)]
    note: String,
}

/// Shares that go from one strategy's book to another's, at their average cost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TransferBook, example = json!({"account": "paper-a", "from": "EXTERNAL", "to": "manual",
    "symbol": "600000.XSHG", "quantity": 100, "note": "the desk takes it over"}))]
struct TransferBody {
    #[schema(max_length = 64)]
    account: String,
    #[schema(max_length = 64)]
    from: String,
    #[schema(max_length = 64)]
    to: String,
    #[schema(max_length = 32)]
    symbol: String,
    quantity: QtyIn,
    /// What `from` holds before it. With it, a repeat after a lost answer is refused and not done twice.
    #[serde(default)]
    expect_quantity: Option<QtyIn>,
    /// Why. It is kept for ever.
    #[schema(min_length = 1, max_length = 500)]
    note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AdjustDirection)]
enum DirectionIn {
    Add,
    Remove,
}

/// A correction of shares (`strategy`, `symbol`, `quantity`) or of cash (`amount`), where no broker's lists say what is
/// right. Where they do, a break is settled instead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdjustBook, example = json!({"account": "paper-a", "direction": "add", "amount": "5000", "note": "bank transfer"}))]
struct AdjustBody {
    #[schema(max_length = 64)]
    account: String,
    direction: DirectionIn,
    #[serde(default)]
    #[schema(max_length = 64)]
    strategy: Option<String>,
    #[serde(default)]
    #[schema(max_length = 32)]
    symbol: Option<String>,
    #[serde(default)]
    quantity: Option<QtyIn>,
    /// What each added share cost; nothing when left away.
    #[serde(default)]
    cost: Option<PriceIn>,
    /// Of cash.
    #[serde(default)]
    #[schema(max_length = 24, example = "5000.00")]
    amount: Option<String>,
    /// Of shares: what the book holds before it. With it, a repeat after a lost answer is refused and not done twice.
    #[serde(default)]
    expect_quantity: Option<QtyIn>,
    /// Of cash: what the account has before it, for the same.
    #[serde(default)]
    #[schema(max_length = 24, example = "1000000.00")]
    expect_cash: Option<String>,
    /// Why. It is kept for ever.
    #[schema(min_length = 1, max_length = 500)]
    note: String,
}

/// The account's books after it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BooksChanged)]
struct ChangedView {
    account: String,
    cash: String,
    items: Vec<BookView>,
}

/// Says whose the account's holdings are. What the broker shows beyond that goes into the book EXTERNAL. All of it is done
/// or nothing; a book that holds the symbol already is refused, so a repeat changes nothing.
#[utoipa::path(tag = "books", security(("access_token" = [])), request_body = ImportBody,
    responses((status = 200, body = ChangedView), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/books/import")]
async fn import_books(
    admin: Admin,
    body: StrictJson<ImportBody>,
    front: web::Data<Front>,
) -> Result<web::Json<ChangedView>, Problem> {
    let ImportBody { account, items, csv, note } = body.0;
    let account = known(&admin, &account, &front)?;
    let items = match (items, csv) {
        (Some(items), None) => items,
        (None, Some(csv)) => from_csv(&csv)?,
        _ => return Err(Problem::invalid("items", "send either items or csv")),
    };
    if items.is_empty() || items.len() > ITEMS_MAX {
        return Err(Problem::invalid("items", "an import has 1 to 500 holdings"));
    }
    let holdings = items.into_iter().enumerate().map(|(n, item)| holding(n, item, &account, &front));
    let import = Rebook::Import(holdings.collect::<Result<_, _>>()?);
    book(&admin, account, import, note, &front).await
}

/// Moves shares from one strategy's book to another's, with what is remembered of them. What open orders sell stays.
#[utoipa::path(tag = "books", security(("access_token" = [])), request_body = TransferBody,
    responses((status = 200, body = ChangedView), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/books/transfer")]
async fn transfer_book(
    admin: Admin,
    body: StrictJson<TransferBody>,
    front: web::Data<Front>,
) -> Result<web::Json<ChangedView>, Problem> {
    let TransferBody { account, from, to, symbol, quantity, expect_quantity, note } = body.0;
    let account = known(&admin, &account, &front)?;
    let transfer = Transfer {
        symbol: dto::symbol(&symbol, "symbol")?,
        from: existing_book(&from, "from", &front)?,
        to: existing_book(&to, "to", &front)?,
        qty: quantity.get("quantity")?,
    };
    let _alone = front.by_hand.lock().await;
    check_held(expect_quantity, &account, (transfer.symbol, &transfer.from), &front).await?;
    book(&admin, account, Rebook::Transfer(transfer), note, &front).await
}

/// Corrects a book or the cash of an account without lists, such as a paper account. A repeat is done again, so it is
/// `expect_quantity` or `expect_cash` that makes one safe: a header `Idempotency-Key` is refused.
#[utoipa::path(tag = "books", security(("access_token" = [])), request_body = AdjustBody,
    responses((status = 200, body = ChangedView), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/books/adjust")]
async fn adjust_book(
    admin: Admin,
    req: HttpRequest,
    body: StrictJson<AdjustBody>,
    front: web::Data<Front>,
) -> Result<web::Json<ChangedView>, Problem> {
    if req.headers().contains_key(IDEMPOTENCY_KEY) {
        return Err(Problem::new(Code::IdempotencyKeyInvalid)
            .detail("no keys are kept here: expect_quantity or expect_cash makes a repeat safe")
            .field("Idempotency-Key"));
    }
    let AdjustBody { account, direction, strategy, symbol, quantity, cost, amount, expect_quantity, expect_cash, note } =
        body.0;
    let account = known(&admin, &account, &front)?;
    if expect_quantity.is_some() && amount.is_some() {
        return Err(Problem::invalid("expect_quantity", "of shares; of cash it is expect_cash"));
    }
    if expect_cash.is_some() && amount.is_none() {
        return Err(Problem::invalid("expect_cash", "of cash; of shares it is expect_quantity"));
    }
    let adjustment = match (strategy, symbol, quantity, amount) {
        (Some(strategy), Some(symbol), Some(quantity), None) => {
            let cost = cost.map(|cost| cost.get("cost")).transpose()?.unwrap_or(Price::ZERO);
            let qty = quantity.get("quantity")?;
            Adjustment::Shares {
                symbol: own_symbol(&symbol, &account, &front)?,
                book: existing_book(&strategy, "strategy", &front)?,
                qty: if direction == DirectionIn::Add { qty } else { -qty },
                bought_today: Qty::ZERO,
                cost: if direction == DirectionIn::Add { cost.times(qty) } else { Money::ZERO },
            }
        }
        (None, None, None, Some(amount)) if cost.is_none() => {
            let fits = |sum: &Money| sum.is_positive() && *sum <= AMOUNT_MAX && dto::to_the_cent(*sum);
            let detail = "above zero, at most a hundred billion and to the cent, such as 5000.00";
            let amount = Money::parse(&amount).ok().filter(fits).ok_or_else(|| Problem::invalid("amount", detail))?;
            Adjustment::Cash { amount: if direction == DirectionIn::Add { amount } else { -amount } }
        }
        _ => return Err(Problem::invalid("strategy", "send strategy, symbol and quantity, or amount alone")),
    };
    let _alone = front.by_hand.lock().await;
    match &adjustment {
        Adjustment::Shares { symbol, book, .. } => {
            check_held(expect_quantity, &account, (*symbol, book), &front).await?;
        }
        Adjustment::Cash { .. } => check_cash(expect_cash, &account, &front).await?,
    }
    book(&admin, account, Rebook::Adjust(adjustment), note, &front).await
}

/// # Errors
/// 409 when the book holds something else than was expected.
async fn check_held(
    expected: Option<QtyIn>,
    account: &AccountId,
    (symbol, strategy): (Symbol, &StrategyId),
    front: &Front,
) -> Result<(), Problem> {
    let Some(expected) = expected else { return Ok(()) };
    let expected = expected.target("expect_quantity")?;
    let books = front.store.books(account).await?;
    let own = books.iter().find(|book| (book.symbol, &book.strategy) == (symbol, strategy));
    let held = own.map_or(Qty::ZERO, |book| book.qty);
    if held != expected {
        return Err(Problem::new(Code::Conflict).detail(format!("{strategy} holds {held} of it")));
    }
    Ok(())
}

/// # Errors
/// 409 when the account has another sum than was expected.
async fn check_cash(expected: Option<String>, account: &AccountId, front: &Front) -> Result<(), Problem> {
    let Some(expected) = expected else { return Ok(()) };
    let expected = Money::parse(&expected).map_err(|_| Problem::invalid("expect_cash", "a sum such as 5000.00"))?;
    let cash = Portfolio::load(front, account).await?.cash;
    if cash != expected {
        return Err(Problem::new(Code::Conflict).detail(format!("{account} has {cash} in cash")));
    }
    Ok(())
}

/// A hundred billion: above it a zero too many is likelier.
const AMOUNT_MAX: Money = Money::from_units(100_000_000_000);

fn known(admin: &Admin, account: &str, front: &Front) -> Result<AccountId, Problem> {
    readable_account(&admin.0, account, |account| front.account(account).is_some())
}

/// A symbol that a book of the account may hold. Contracts have lots with the prices and days of their opening, loans the day
/// on which they come back: neither can be said in a line. What is in another currency would be added up with the cash.
fn own_symbol(text: &str, account: &AccountId, front: &Front) -> Result<Symbol, Problem> {
    let symbol = dto::symbol(text, "symbol")?;
    if is_future(symbol) || symbol.is_repo() {
        return Err(Problem::invalid("symbol", "contracts and loans come from orders alone"));
    }
    let own = front.account(account).map(|info| info.currency);
    let currency = front.market.instrument(symbol).map(|instrument| instrument.currency);
    match currency.zip(own).filter(|(currency, own)| currency != own) {
        Some((currency, own)) => {
            let (currency, own): (&str, &str) = (currency.into(), own.into());
            Err(Problem::invalid("symbol", format!("it is paid in {currency}, and the account is in {own}")))
        }
        None => Ok(symbol),
    }
}

fn holding(n: usize, item: HoldingIn, account: &AccountId, front: &Front) -> Result<OpeningHolding, Problem> {
    let at = |problem: Problem, name: &str| problem.field(format!("items[{n}].{name}"));
    let today = china_date_time(front.now()).0;
    let day = |text: String| {
        let day = TradeDate::parse(&text).filter(|day| *day <= today);
        day.ok_or_else(|| Problem::invalid("", "a day as 2026-11-20, not after today"))
    };
    Ok(OpeningHolding {
        symbol: own_symbol(&item.symbol, account, front).map_err(|problem| at(problem, "symbol"))?,
        strategy: existing_book(&item.strategy, "strategy", front).map_err(|problem| at(problem, "strategy"))?,
        qty: item.quantity.get("quantity").map_err(|problem| at(problem, "quantity"))?,
        cost: item.cost.get("cost").map_err(|problem| at(problem, "cost"))?,
        on: item.entry_date.map(day).transpose().map_err(|problem| at(problem, "entry_date"))?,
    })
}

fn from_csv(text: &str) -> Result<Vec<HoldingIn>, Problem> {
    let wrong = |what: String| Problem::invalid("csv", what);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?;
    // A byte order mark is what spreadsheets put before a text.
    if header.iter().collect::<Vec<_>>().join(",").trim_start_matches('\u{feff}') != COLUMNS {
        return Err(wrong(format!("the first line is {COLUMNS}")));
    }
    let mut items = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        items.push(HoldingIn {
            strategy: cell(0).to_owned(),
            symbol: cell(1).to_owned(),
            quantity: QtyIn::of_text(cell(2)),
            cost: PriceIn::of_text(cell(3)),
            entry_date: Some(cell(4).to_owned()).filter(|text| !text.is_empty()),
        });
    }
    Ok(items)
}

async fn book(
    admin: &Admin,
    account: AccountId,
    what: Rebook,
    note: String,
    front: &Front,
) -> Result<web::Json<ChangedView>, Problem> {
    if note.trim().is_empty() {
        return Err(Problem::invalid("note", "say why"));
    }
    check_note(&note)?;
    let order = BookOrder { what, by: who(admin.0.client()), note: note.into() };
    front.require_in_use(&account)?;
    front.desk.rebook(account.clone(), order).await?.map_err(|cannot: Unbookable| match cannot {
        Unbookable::Quantity | Unbookable::SameBook => Problem::invalid("quantity", cannot.to_string()),
        _ => Problem::new(Code::Conflict).detail(cannot.to_string()),
    })?;
    let portfolio = Portfolio::load(front, &account).await?;
    let items = portfolio.books(front);
    Ok(web::Json(ChangedView { account: account.to_string(), cash: portfolio.cash.to_string(), items }))
}
