//! The journal as an auditor reads it: every change of state with its place in the hash chain. For administrators.

use actix_web::{get, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Refusals;
use super::auth::Admin;
use super::event_view::{EventView, Legs};
use super::front::Front;
use super::json::StrictQuery;
use super::listing;
use super::page::{Page, PageQuery};
use super::problem::Problem;
use crate::store::{EventFilter, JournalLine};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_audit);
}

/// One line of the journal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLine)]
struct AuditView {
    #[serde(flatten)]
    event: EventView,
    /// SHA-256 over this line and the hash before it, as hexadecimal digits.
    hash: String,
}

impl AuditView {
    fn of(line: &JournalLine) -> Self {
        use std::fmt::Write as _;
        let mut hash = String::with_capacity(64);
        for byte in line.hash {
            // Writing to a string does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        Self { event: EventView::of(line, Legs::All), hash }
    }
}

/// The journal, the newest line first.
#[utoipa::path(tag = "audit", security(("access_token" = [])), params(PageQuery),
    responses((status = 200, body = Page<AuditView>), Refusals))]
#[get("/v1/audit")]
async fn list_audit(
    _: Admin,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<AuditView>>, Problem> {
    let limit = query.0.limit()?;
    let before = listing::before(&query.0)?;
    let lines = front.store.journal_page(&EventFilter::default(), before, limit as u64 + 1).await?;
    Ok(web::Json(listing::page(lines, limit, |line| line.seq, AuditView::of)))
}
