//! The rows of one transaction as arrays, one per column: a statement per table, however many rows there are.

use sea_orm::sqlx::{self, AssertSqlSafe, PgConnection};

use super::StoreError;
use super::batch::{Batch, SignalInsert};
use super::book_columns::{self, BookColumns};
use super::columns::{self, ORDER_COLUMNS, OrderColumns};

/// One value of one row.
enum Cell<'a> {
    Int(i64),
    IntOr(Option<i64>),
    Text(&'a str),
    TextOr(Option<&'a str>),
    Bool(bool),
    Bytes(&'a [u8]),
}

/// All values of one column.
enum Column<'a> {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<&'a str>>),
    Bool(Vec<bool>),
    Bytes(Vec<&'a [u8]>),
}

impl<'a> Column<'a> {
    fn new(cell: &Cell<'a>) -> Self {
        match cell {
            Cell::Int(_) | Cell::IntOr(_) => Self::Int(Vec::new()),
            Cell::Text(_) | Cell::TextOr(_) => Self::Text(Vec::new()),
            Cell::Bool(_) => Self::Bool(Vec::new()),
            Cell::Bytes(_) => Self::Bytes(Vec::new()),
        }
    }

    fn push(&mut self, cell: Cell<'a>) {
        match (self, cell) {
            (Self::Int(column), Cell::Int(value)) => column.push(Some(value)),
            (Self::Int(column), Cell::IntOr(value)) => column.push(value),
            (Self::Text(column), Cell::Text(value)) => column.push(Some(value)),
            (Self::Text(column), Cell::TextOr(value)) => column.push(value),
            (Self::Bool(column), Cell::Bool(value)) => column.push(value),
            (Self::Bytes(column), Cell::Bytes(value)) => column.push(value),
            // Every row of a table is made by one expression, so its kinds never differ.
            _ => {}
        }
    }

    fn array(&self) -> &'static str {
        match self {
            Self::Int(_) => "bigint[]",
            Self::Text(_) => "text[]",
            Self::Bool(_) => "boolean[]",
            Self::Bytes(_) => "bytea[]",
        }
    }
}

/// Runs the statement with `$rows` replaced by the rows, unless there are none. Returns how many rows it touched.
async fn run<'a, const N: usize>(
    connection: &mut PgConnection,
    context: &'static str,
    sql: &str,
    rows: impl Iterator<Item = [Cell<'a>; N]>,
) -> Result<u64, StoreError> {
    let mut columns: Vec<Column<'a>> = Vec::new();
    for row in rows {
        if columns.is_empty() {
            columns = row.iter().map(Column::new).collect();
        }
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    if columns.is_empty() {
        return Ok(0);
    }
    let arrays: Vec<String> =
        columns.iter().enumerate().map(|(n, column)| format!("${}::{}", n + 1, column.array())).collect();
    let mut query = sqlx::query(AssertSqlSafe(sql.replace("$rows", &format!("UNNEST({})", arrays.join(", ")))));
    for column in columns {
        query = match column {
            Column::Int(values) => query.bind(values),
            Column::Text(values) => query.bind(values),
            Column::Bool(values) => query.bind(values),
            Column::Bytes(values) => query.bind(values),
        };
    }
    let done = query.execute(connection).await.map_err(|error| StoreError::database(context, error))?;
    Ok(done.rows_affected())
}

pub(super) async fn write(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    write_journal(connection, batch).await?;
    write_signals(connection, batch).await?;
    write_orders(connection, batch).await?;
    write_exceptions(connection, batch).await?;
    write_accounts(connection, batch).await?;
    write_settings(connection, batch).await
}

async fn write_journal(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let lines = batch.lines.iter().map(|line| {
        [
            Cell::Int(line.seq as i64),
            Cell::Int(line.at.us()),
            Cell::Text(&line.actor),
            Cell::Text(&line.cause),
            Cell::Text(&line.kind),
            Cell::TextOr(line.account.as_ref().map(|id| id.as_str())),
            Cell::TextOr(line.strategy.as_ref().map(|id| id.as_str())),
            Cell::IntOr(line.signal.map(|id| id.get() as i64)),
            Cell::IntOr(line.order.map(|id| id.get() as i64)),
            Cell::Text(&line.payload),
            Cell::Bytes(&line.hash),
        ]
    });
    let sql = "INSERT INTO journal (seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload,
        hash) SELECT * FROM $rows";
    run(connection, "the journal cannot be written", sql, lines).await?;
    Ok(())
}

async fn write_signals(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let context = "signals cannot be written";
    let inserts = batch.signals.iter().map(|SignalInsert { signal, body_hash, payload }| {
        [
            Cell::Int(signal.id.get() as i64),
            Cell::Text(signal.client.as_str()),
            Cell::Text(&signal.client_signal_id),
            Cell::Bytes(body_hash),
            Cell::Text(signal.strategy.as_str()),
            Cell::TextOr(signal.account.as_ref().map(|id| id.as_str())),
            Cell::Text(signal.symbol.as_str()),
            Cell::Text(payload),
            Cell::Text("accepted"),
            Cell::Int(0),
            Cell::Bool(false),
            Cell::Int(signal.received_at.us()),
            Cell::Int(signal.received_at.us()),
            Cell::TextOr(signal.notes.basket.as_deref()),
        ]
    });
    let sql = "INSERT INTO signals (id, client, client_signal_id, body_hash, strategy, account, symbol, payload,
        status, residual_qty, cancel_requested, received_at_us, updated_at_us, basket) SELECT * FROM $rows";
    run(connection, context, sql, inserts).await?;

    let rows = batch.signal_rows.rows();
    let denials = rows.iter().map(|row| columns::denials(&row.denials)).collect::<Result<Vec<_>, _>>()?;
    let held = rows.iter().map(columns::held).collect::<Result<Vec<_>, _>>()?;
    let updates = rows.iter().zip(&denials).zip(&held).map(|((row, denials), held)| {
        [
            Cell::Int(row.id.get() as i64),
            Cell::Text(row.status.into()),
            Cell::TextOr(row.waiting_for.map(Into::into)),
            Cell::IntOr(row.until.map(|at| at.us())),
            Cell::Int(row.residual.get()),
            Cell::TextOr(denials.as_deref()),
            Cell::Bool(row.cancel_requested),
            Cell::Int(row.updated_at.us()),
            Cell::TextOr(held.as_deref()),
        ]
    });
    let sql = "UPDATE signals SET status = new.status, waiting_for = new.waiting_for, until_us = new.until_us,
            residual_qty = new.residual_qty, denials = new.denials, cancel_requested = new.cancel_requested,
            updated_at_us = new.updated_at_us, held = new.held
        FROM $rows AS new (id, status, waiting_for, until_us, residual_qty, denials, cancel_requested, updated_at_us,
            held)
        WHERE signals.id = new.id";
    let touched = run(connection, context, sql, updates).await?;
    if touched == rows.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::corrupt("signals", format!("{touched} of {} are there", rows.len())))
    }
}

async fn write_orders(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let rows = batch.parents.rows();
    let texts = rows.iter().map(|row| columns::of_parent(&row.parent)).collect::<Result<Vec<_>, _>>()?;
    let progress = rows.iter().map(|row| columns::progress(&row.parent)).collect::<Result<Vec<_>, _>>()?;
    let parents = rows.iter().zip(&texts).zip(&progress).map(|((row, (short_of_cash, decided)), progress)| {
        let parent = &row.parent;
        [
            Cell::Int(parent.leg.parent.get() as i64),
            Cell::Int(parent.leg.parent.signal().get() as i64),
            Cell::Text(parent.leg.account.as_str()),
            Cell::Text(row.strategy.as_str()),
            Cell::Text(row.symbol.as_str()),
            Cell::Text(parent.leg.side.into()),
            Cell::Int(parent.leg.qty.get()),
            Cell::Int(parent.cum_qty.get()),
            Cell::Int(parent.cum_amount.e4()),
            Cell::Text(parent.status.into()),
            Cell::IntOr(parent.working.map(|id| id.get() as i64)),
            Cell::Text(parent.leg.mode.into()),
            Cell::Text(short_of_cash),
            Cell::TextOr(parent.waits_for().map(Into::into)),
            Cell::IntOr(parent.waits.and_then(|wait| wait.until).map(|until| until.us())),
            Cell::TextOr(decided.as_deref()),
            Cell::TextOr(parent.leg.effect.map(Into::into)),
            Cell::TextOr(progress.as_deref()),
            Cell::Int(parent.netted.get()),
        ]
    });
    let sql =
        "INSERT INTO parents (id, signal_id, account, strategy, symbol, side, qty, cum_qty, cum_amount_e4, status,
            working_order_id, mode, short_of_cash, waiting_for, wait_until_us, decided, effect, progress, netted_qty)
            SELECT * FROM $rows
        ON CONFLICT (id) DO UPDATE SET qty = excluded.qty, cum_qty = excluded.cum_qty, cum_amount_e4 = excluded.cum_amount_e4,
            status = excluded.status, working_order_id = excluded.working_order_id,
            waiting_for = excluded.waiting_for, wait_until_us = excluded.wait_until_us, decided = excluded.decided,
            progress = excluded.progress, netted_qty = excluded.netted_qty";
    run(connection, "parent orders cannot be written", sql, parents).await?;

    let orders = batch.orders.rows().iter().map(OrderColumns::of).collect::<Result<Vec<_>, _>>()?;
    let cells = orders.iter().map(order_cells);
    let sql =
        format!("INSERT INTO orders ({}) SELECT * FROM $rows {}", columns::order_names(), columns::on_order_conflict());
    run(connection, "orders cannot be written", &sql, cells).await?;
    Ok(())
}

fn order_cells<'a>(c: &'a OrderColumns<'a>) -> [Cell<'a>; ORDER_COLUMNS.len()] {
    [
        Cell::Int(c.id),
        Cell::Int(c.signal_id),
        Cell::Int(c.parent_id),
        Cell::Text(c.account),
        Cell::Text(c.strategy),
        Cell::Text(c.source),
        Cell::Text(c.symbol),
        Cell::Text(c.side),
        Cell::Text(c.ord_type),
        Cell::IntOr(c.limit_price_e4),
        Cell::Text(c.time_in_force),
        Cell::Int(c.qty),
        Cell::Int(c.valid_until_us),
        Cell::TextOr(c.approval.as_deref()),
        Cell::TextOr(c.denials.as_deref()),
        Cell::Text(c.status),
        Cell::Text(c.reported),
        Cell::Bool(c.closed),
        Cell::TextOr(c.in_flight),
        Cell::Bool(c.in_doubt),
        Cell::Bool(c.cancel_wanted),
        Cell::Int(c.send_no),
        Cell::Int(c.cum_qty),
        Cell::Int(c.cum_amount_e4),
        Cell::Int(c.fees_e4),
        Cell::Bool(c.overfilled),
        Cell::Int(c.reserved_cash_e4),
        Cell::Int(c.reserved_qty),
        Cell::TextOr(c.broker_order_id),
        Cell::TextOr(c.reason),
        Cell::Int(c.created_at_us),
        Cell::IntOr(c.sent_at_us),
        Cell::IntOr(c.acked_at_us),
        Cell::IntOr(c.first_fill_at_us),
        Cell::Int(c.updated_at_us),
        Cell::IntOr(c.doubt_since_us),
        Cell::TextOr(c.parked),
        Cell::TextOr(c.baseline.as_deref()),
        Cell::TextOr(c.effect),
        Cell::Bool(c.all_in),
        Cell::TextOr(c.origin),
        Cell::Int(c.netted_qty),
        Cell::Int(c.netted_amount_e4),
    ]
}

async fn write_accounts(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let fills = batch.fills.iter().map(|(id, fill)| {
        [
            Cell::Int(*id as i64),
            Cell::Text(fill.account.as_str()),
            Cell::Int(fill.trade_date.yyyymmdd().into()),
            Cell::Text(&fill.exec_id.0),
            Cell::Int(fill.order.get() as i64),
            Cell::Text(fill.strategy.as_str()),
            Cell::Text(fill.symbol.as_str()),
            Cell::Text(fill.side.into()),
            Cell::Int(fill.qty.get()),
            Cell::Int(fill.px.e4()),
            Cell::Int(fill.fee.e4()),
            Cell::Int(fill.at.us()),
        ]
    });
    let sql = "INSERT INTO fills (id, account, trade_date, exec_id, order_id, strategy, symbol, side, qty, px_e4,
        fee_e4, at_us) SELECT * FROM $rows";
    run(connection, "fills cannot be written", sql, fills).await?;

    let loans = batch.accounts.rows().iter().map(columns::loans).collect::<Result<Vec<_>, _>>()?;
    let flows = batch.accounts.rows().iter().map(columns::flows).collect::<Result<Vec<_>, _>>()?;
    let accounts = batch.accounts.rows().iter().zip(&loans).zip(&flows).map(|((row, loans), flows)| {
        [
            Cell::Text(row.account.as_str()),
            Cell::Int(row.cash.e4()),
            Cell::IntOr(row.trade_date.map(|date| date.yyyymmdd().into())),
            Cell::Int(row.messages_today.into()),
            Cell::Int(row.updated_at.us()),
            Cell::IntOr(row.prev_equity.map(|money| money.e4())),
            Cell::TextOr(loans.as_deref()),
            Cell::TextOr(flows.as_deref()),
        ]
    });
    let sql = "INSERT INTO accounts (id, cash_e4, trade_date, messages_today, updated_at_us, prev_equity_e4,
            loans, flows) SELECT * FROM $rows
        ON CONFLICT (id) DO UPDATE SET cash_e4 = excluded.cash_e4, trade_date = excluded.trade_date,
            messages_today = excluded.messages_today, updated_at_us = excluded.updated_at_us,
            prev_equity_e4 = excluded.prev_equity_e4, loans = excluded.loans, flows = excluded.flows";
    run(connection, "accounts cannot be written", sql, accounts).await?;

    let books = batch.books.rows().iter().map(|(account, book)| {
        let BookColumns { key, ints } = BookColumns::of(account, book);
        let ([account, symbol, strategy], [a, b, c, d, e, f, g, h, i, j, k, l, m, n]) =
            (key.map(Cell::Text), ints.map(Cell::IntOr));
        [account, symbol, strategy, a, b, c, d, e, f, g, h, i, j, k, l, m, n]
    });
    let (names, on_conflict) = (book_columns::names(), book_columns::on_conflict());
    let sql = format!("INSERT INTO books ({names}) SELECT * FROM $rows {on_conflict}");
    run(connection, "books cannot be written", &sql, books).await?;

    let bodies = batch.contracts.rows().iter().map(|(_, book)| columns::json("contract", book));
    let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
    let contracts = batch.contracts.rows().iter().zip(&bodies).map(|((account, book), body)| {
        [
            Cell::Text(account.as_str()),
            Cell::Text(book.symbol.as_str()),
            Cell::Text(book.strategy.as_str()),
            Cell::Text(book.direction.into()),
            Cell::Text(body),
        ]
    });
    let sql = "INSERT INTO contract_books (account, symbol, strategy, direction, body) SELECT * FROM $rows
        ON CONFLICT (account, symbol, strategy, direction) DO UPDATE SET body = excluded.body";
    run(connection, "contracts cannot be written", sql, contracts).await?;
    Ok(())
}

async fn write_exceptions(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let rows = batch.exceptions.rows();
    let bodies = rows.iter().map(|row| columns::json("exception", &**row)).collect::<Result<Vec<_>, _>>()?;
    let rows = rows.iter().zip(&bodies).map(|(row, body)| {
        [
            Cell::Text(row.account.as_str()),
            Cell::Text(&row.key),
            Cell::Int(row.opened_at.us()),
            Cell::Text(row.kind.into()),
            Cell::Bool(row.is_open()),
            Cell::Int(row.updated_at.us()),
            Cell::Text(body),
        ]
    });
    let sql = "INSERT INTO exceptions (account, key, opened_at_us, kind, open, updated_at_us, body)
        SELECT * FROM $rows
        ON CONFLICT (account, key, opened_at_us) DO UPDATE SET open = excluded.open,
            updated_at_us = excluded.updated_at_us, body = excluded.body";
    run(connection, "exceptions cannot be written", sql, rows).await?;
    Ok(())
}

async fn write_settings(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let context = "settings cannot be written";
    let rows = batch.strategies.rows();
    let confs = rows.iter().map(|row| columns::json("strategy", &*row.conf)).collect::<Result<Vec<_>, _>>()?;
    let strategies = rows.iter().zip(&confs).map(|(row, conf)| {
        [
            Cell::Text(row.conf.id.as_str()),
            Cell::Text(conf),
            Cell::Text(row.state.into()),
            Cell::Int(row.version.into()),
        ]
    });
    let sql = "INSERT INTO strategies (id, conf, state, version) SELECT * FROM $rows
        ON CONFLICT (id) DO UPDATE SET conf = excluded.conf, state = excluded.state, version = excluded.version";
    run(connection, context, sql, strategies).await?;

    let states = batch.trading_states.rows().iter().map(|row| {
        let (kind, id) = columns::scope(&row.scope);
        [
            Cell::Text(kind),
            Cell::Text(id),
            Cell::Text(row.state.into()),
            Cell::Text(&row.who),
            Cell::Text(&row.reason),
            Cell::Int(row.at.us()),
        ]
    });
    let sql = "INSERT INTO trading_states (scope_kind, scope_id, state, who, reason, at_us) SELECT * FROM $rows
        ON CONFLICT (scope_kind, scope_id) DO UPDATE SET state = excluded.state, who = excluded.who,
            reason = excluded.reason, at_us = excluded.at_us";
    run(connection, context, sql, states).await?;
    write_limits(connection, batch).await
}

async fn write_limits(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let context = "limits cannot be written";
    let bodies = batch.limits.iter().map(|fact| columns::json("limits", &**fact)).collect::<Result<Vec<_>, _>>()?;
    let limits = batch.limits.iter().zip(&bodies).map(|(fact, body)| {
        let (kind, id) = columns::scope(&fact.scope);
        [Cell::Text(kind), Cell::Text(id), Cell::Int(fact.version.into()), Cell::Int(fact.at.us()), Cell::Text(body)]
    });
    let sql = "INSERT INTO risk_limits (scope_kind, scope_id, version, at_us, body) SELECT * FROM $rows";
    run(connection, context, sql, limits).await?;

    let bodies = batch.warnings.iter().map(|row| columns::json("warning", &**row)).collect::<Result<Vec<_>, _>>()?;
    let warnings = batch.warnings.iter().zip(&bodies).map(|(row, body)| {
        [
            Cell::Text(row.account.as_str()),
            Cell::Int(row.trade_date.yyyymmdd().into()),
            Cell::Text(row.code.into()),
            Cell::Int(row.at.us()),
            Cell::Text(body),
        ]
    });
    let sql = "INSERT INTO risk_warnings (account, trade_date, code, at_us, body) SELECT * FROM $rows";
    run(connection, context, sql, warnings).await?;

    let marks = batch.marks.rows();
    let bodies = marks.iter().map(|mark| columns::json("equity mark", &**mark)).collect::<Result<Vec<_>, _>>()?;
    let marks = marks.iter().zip(&bodies).map(|(mark, body)| {
        let (kind, id) = columns::scope(&mark.scope);
        [Cell::Text(kind), Cell::Text(id), Cell::Int(mark.at.us()), Cell::Text(body)]
    });
    let sql = "INSERT INTO equity_marks (scope_kind, scope_id, at_us, body) SELECT * FROM $rows
        ON CONFLICT (scope_kind, scope_id) DO UPDATE SET at_us = excluded.at_us, body = excluded.body";
    run(connection, context, sql, marks).await?;

    let booked = &batch.corporate_actions;
    let bodies =
        booked.iter().map(|(_, b, _)| columns::json("corporate action", &**b)).collect::<Result<Vec<_>, _>>()?;
    let booked = booked.iter().zip(&bodies).map(|((account, booked, at), body)| {
        [
            Cell::Text(account.as_str()),
            Cell::Text(booked.action.symbol.as_str()),
            Cell::Int(booked.action.ex_date.yyyymmdd().into()),
            Cell::Int(at.us()),
            Cell::Text(body),
        ]
    });
    let sql = "INSERT INTO corporate_actions (account, symbol, ex_date, at_us, body) SELECT * FROM $rows";
    run(connection, context, sql, booked).await?;

    let days = &batch.account_days;
    let bodies = days.iter().map(|(_, over)| columns::json("day", over)).collect::<Result<Vec<_>, _>>()?;
    let days = days.iter().zip(&bodies).map(|((account, over), body)| {
        [Cell::Text(account.as_str()), Cell::Int(over.date.yyyymmdd().into()), Cell::Text(body)]
    });
    run(connection, context, "INSERT INTO account_days (account, trade_date, body) SELECT * FROM $rows", days).await?;

    let rows = batch.registered.rows();
    let bodies = rows.iter().map(|fact| columns::json("registry", fact)).collect::<Result<Vec<_>, _>>()?;
    let facts = rows.iter().zip(&bodies).map(|(fact, body)| {
        let (kind, id) = fact.key();
        [Cell::Text(kind), Cell::Text(id), Cell::Int(fact.version().into()), Cell::Text(body)]
    });
    let sql = "INSERT INTO registry (kind, id, version, body) SELECT * FROM $rows
        ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, body = excluded.body";
    run(connection, context, sql, facts).await?;
    Ok(())
}
