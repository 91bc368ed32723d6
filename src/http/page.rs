//! Lists in pages, the newest first, and times as clients read them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Code, Problem};

const LIMIT_DEFAULT: usize = 50;
/// One page is made and read at once.
const LIMIT_MAX: usize = 500;
/// Of its characters; the longest that we make names an instrument and a time.
const CURSOR_MAX: usize = 400;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(max_length = 400, nullable = false)]
    pub cursor: Option<String>,
}

impl PageQuery {
    /// # Errors
    /// 400 outside 1 to 500.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(Problem::new(Code::InvalidQuery).detail("a page has 1 to 500 items").field("limit")),
        }
    }

    /// Where the page before ended: time in microseconds, and the name that breaks ties.
    ///
    /// # Errors
    /// 400 when it is no cursor of ours.
    pub fn after(&self) -> Result<Option<(i64, String)>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let parse = |cursor: &str| {
            let text = String::from_utf8(BASE64.decode(cursor).ok()?).ok()?;
            let (us, name) = text.split_once('.')?;
            Some((us.parse().ok()?, name.to_owned()))
        };
        let parsed = Some(cursor.as_str()).filter(|cursor| cursor.len() <= CURSOR_MAX).and_then(parse);
        parsed.map(Some).ok_or_else(|| Problem::new(Code::InvalidCursor).field("cursor"))
    }
}

impl<T> Page<T> {
    /// Cuts a page out of a list in memory, sorted by falling key.
    ///
    /// # Errors
    /// 400 for a limit or a cursor that cannot be.
    pub fn cut<S>(
        sorted: impl IntoIterator<Item = S>,
        query: &PageQuery,
        key: impl Fn(&S) -> (i64, &str),
        view: impl Fn(&S) -> T,
    ) -> Result<Self, Problem> {
        let (limit, after) = (query.limit()?, query.after()?);
        let beyond = |item: &S| after.as_ref().is_none_or(|(us, name)| key(item) < (*us, name.as_str()));
        let mut rest = sorted.into_iter().filter(beyond).peekable();
        let mut items = Vec::new();
        let mut last = None;
        while items.len() < limit
            && let Some(item) = rest.next()
        {
            items.push(view(&item));
            if items.len() == limit && rest.peek().is_some() {
                let (us, name) = key(&item);
                last = Some(cursor(us, name));
            }
        }
        Ok(Self { items, next_cursor: last })
    }
}

impl<T> Page<T> {
    /// Cuts a page out of a list in memory, sorted by rising name: of things that have names people look for.
    ///
    /// # Errors
    /// 400 for a limit or a cursor that cannot be.
    pub fn cut_by_name<S>(
        sorted: impl IntoIterator<Item = S>,
        query: &PageQuery,
        name: impl Fn(&S) -> &str,
        view: impl Fn(&S) -> T,
    ) -> Result<Self, Problem> {
        let (limit, after) = (query.limit()?, query.after()?);
        let mut items = Vec::new();
        let mut last: Option<String> = None;
        for item in sorted {
            if after.as_ref().is_some_and(|(_, after)| name(&item) <= after.as_str()) {
                continue;
            }
            if items.len() == limit {
                return Ok(Self { items, next_cursor: last });
            }
            items.push(view(&item));
            if items.len() == limit {
                last = Some(cursor(0, name(&item)));
            }
        }
        Ok(Self { items, next_cursor: None })
    }
}

/// The cursor after the item with this time and name.
#[must_use]
pub fn cursor(us: i64, name: &str) -> String {
    BASE64.encode(format!("{us}.{name}"))
}

/// RFC 3339 in UTC, with microseconds where there are some.
#[must_use]
pub fn rfc3339(us: i64) -> String {
    // Outside the years of the calendar there are only times that nobody wrote down.
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| String::new(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_end() {
        let rows: Vec<(i64, String)> = (0..7).rev().map(|n| (n / 2, format!("row-{n}"))).collect();
        let mut query = PageQuery { limit: Some(3), cursor: None };
        let mut seen = Vec::new();
        loop {
            let page = Page::cut(&rows, &query, |row| (row.0, row.1.as_str()), |row| row.1.clone()).expect("page");
            seen.extend(page.items);
            let Some(next) = page.next_cursor else { break };
            query.cursor = Some(next);
        }
        assert_eq!(seen, rows.into_iter().map(|row| row.1).collect::<Vec<_>>());
        query.cursor = Some("?".to_owned());
        assert!(query.after().is_err());
        assert!(PageQuery { limit: Some(0), cursor: None }.limit().is_err());
    }

    #[test]
    fn pages_of_names_rise() {
        let names = ["a", "b", "c", "d", "e"];
        let mut query = PageQuery { limit: Some(2), cursor: None };
        let mut seen = Vec::new();
        loop {
            let page = Page::cut_by_name(names, &query, |name| name, |name| (*name).to_owned()).expect("page");
            seen.extend(page.items);
            let Some(next) = page.next_cursor else { break };
            query.cursor = Some(next);
        }
        assert_eq!(seen, names);
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(1_790_000_000_123_456), "2026-09-21T14:13:20.123456Z");
    }
}
