//! Corporate actions: what the table says of an instrument, and what was booked in an account.

use actix_web::{get, web};
use serde::Serialize;
use signalbox_domain::corporate::CorporateAction;
use signalbox_domain::ledger::BookedAction;
use signalbox_domain::symbols::resolve;
use signalbox_domain::units::Timestamp;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, readable_account, require};
use super::front::Front;
use super::json::PathName;
use super::page::Page;
use super::problem::Problem;
use super::views::at;
use super::{Missing, Refusals};
use crate::people::Scope;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_instrument_actions).service(list_account_actions);
}

/// What one share brings on one day, for ten shares and before tax (除权除息).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CorporateAction)]
struct ActionView {
    symbol: String,
    /// The first trading day without it.
    #[schema(example = "2011-06-03")]
    ex_date: String,
    #[schema(example = "1.6")]
    cash_per10: String,
    bonus_shares_per10: String,
    transfer_shares_per10: String,
    /// Told, and never booked.
    rights_per10: String,
    rights_price: String,
}

impl ActionView {
    fn of(action: &CorporateAction) -> Self {
        Self {
            symbol: action.symbol.to_string(),
            ex_date: action.ex_date.to_string(),
            cash_per10: action.cash.to_string(),
            bonus_shares_per10: action.bonus.to_string(),
            transfer_shares_per10: action.transfer.to_string(),
            rights_per10: action.rights.to_string(),
            rights_price: action.rights_price.to_string(),
        }
    }
}

/// What it brought to one book.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookedPart)]
struct PartView {
    strategy: String,
    new_shares: String,
    cash: String,
}

/// What it brought to an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookedCorporateAction)]
struct BookedView {
    account: String,
    #[serde(flatten)]
    action: ActionView,
    /// Of all books at the last close before the ex-date.
    held: String,
    new_shares: String,
    /// Before tax.
    cash: String,
    books: Vec<PartView>,
    booked_at: String,
}

impl BookedView {
    fn of(account: &str, (booked, booked_at): &(BookedAction, Timestamp)) -> Self {
        let parts = booked.parts.iter().map(|part| PartView {
            strategy: part.book.to_string(),
            new_shares: part.shares.to_string(),
            cash: part.cash.to_string(),
        });
        Self {
            account: account.to_owned(),
            action: ActionView::of(&booked.action),
            held: booked.held.to_string(),
            new_shares: booked.shares.to_string(),
            cash: booked.cash.to_string(),
            books: parts.collect(),
            booked_at: at(*booked_at),
        }
    }
}

/// When an instrument goes ex and what it brings, as far as the table knows, the earliest first.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])),
    params(("symbol" = String, Path, example = "600000.SH")),
    responses((status = 200, body = Page<ActionView>), Refusals, Missing))]
#[get("/v1/instruments/{symbol}/corporate-actions")]
async fn list_instrument_actions(
    Authenticated(principal): Authenticated,
    symbol: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<Page<ActionView>>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let symbol = resolve(&symbol.0).map_err(|_| Problem::not_found())?;
    if !front.market.knows(symbol) {
        return Err(Problem::not_found());
    }
    let items = front.market.actions.iter().filter(|action| action.symbol == symbol).map(ActionView::of).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// What went ex in the account's books, the newest first; 500 at the most.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = Page<BookedView>), Refusals, Missing))]
#[get("/v1/accounts/{id}/corporate-actions")]
async fn list_account_actions(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<Page<BookedView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let account = readable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let booked = front.store.booked_actions(&account).await?;
    let items = booked.iter().map(|booked| BookedView::of(account.as_str(), booked)).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}
