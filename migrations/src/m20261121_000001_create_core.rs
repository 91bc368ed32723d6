//! The core: lease, journal, signals, orders and what accounts and strategies have become.
//!
//! Integers carry their unit in the name: `_us` microseconds since 1970, `_e4` 1e-4 of the currency. Booleans are 0 or 1
//! in SQLite. Secondary indexes cost every write, so each one has its reader named beside it.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, UP).await
    }

    /// A half-made schema is worse than none.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const UP: &str = "
-- Who may write. The epoch rises with every start; every write transaction asserts it.
CREATE TABLE lease (
    id {int} PRIMARY KEY CHECK (id = 1),
    epoch {int} NOT NULL CHECK (epoch >= 0),
    installation TEXT NOT NULL CHECK (length(installation) = 2),
    holder TEXT NOT NULL,
    started_at_us {int} NOT NULL
) {table};

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) {keyed_table};

-- The facts, gapless, each with the hash over itself and the hash before it.
CREATE TABLE journal (
    seq {int} PRIMARY KEY CHECK (seq > 0),
    at_us {int} NOT NULL,
    actor TEXT NOT NULL,
    cause TEXT NOT NULL,
    kind TEXT NOT NULL,
    account TEXT,
    strategy TEXT,
    signal_id {int},
    order_id {int},
    payload TEXT NOT NULL,
    hash {blob} NOT NULL CHECK (length(hash) = 32)
) {table};

CREATE TABLE signals (
    id {int} PRIMARY KEY CHECK (id > 0),
    client TEXT NOT NULL,
    client_signal_id TEXT NOT NULL,
    body_hash {blob} NOT NULL CHECK (length(body_hash) = 32),
    strategy TEXT NOT NULL,
    account TEXT,
    symbol TEXT NOT NULL,
    payload TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('accepted', 'waiting', 'working', 'done', 'partially_done', 'denied',
        'expired', 'in_doubt', 'canceled')),
    waiting_for TEXT CHECK (waiting_for IN ('session', 'strategy')),
    until_us {int},
    residual_qty {int} NOT NULL,
    denials TEXT,
    cancel_requested {bool} NOT NULL,
    received_at_us {int} NOT NULL,
    updated_at_us {int} NOT NULL
) {table};
-- Makes a repeat safe: of two requests with one key, exactly one becomes a signal.
CREATE UNIQUE INDEX signals_client_key ON signals (client, client_signal_id);
-- The inbox: what its strategy has not looked at.
CREATE INDEX signals_accepted ON signals (strategy, id) WHERE status = 'accepted';
-- A restart: what still lives.
CREATE INDEX signals_open ON signals (id) WHERE status IN ('waiting', 'working', 'in_doubt');

-- The id is made of the signal's id and the leg, so all parents of a signal are one range of it.
CREATE TABLE parents (
    id {int} PRIMARY KEY,
    signal_id {int} NOT NULL,
    account TEXT NOT NULL,
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    qty {int} NOT NULL CHECK (qty > 0),
    cum_qty {int} NOT NULL CHECK (cum_qty >= 0),
    cum_amount_e4 {int} NOT NULL,
    status TEXT NOT NULL,
    working_order_id {int}
) {table};

-- The id is made of the parent's id and the attempt, so all orders of a signal or parent are one range of it.
CREATE TABLE orders (
    id {int} PRIMARY KEY,
    signal_id {int} NOT NULL,
    parent_id {int} NOT NULL,
    account TEXT NOT NULL,
    strategy TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('signal', 'manual')),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    ord_type TEXT NOT NULL CHECK (ord_type IN ('market', 'limit')),
    limit_price_e4 {int},
    time_in_force TEXT NOT NULL,
    qty {int} NOT NULL CHECK (qty > 0),
    valid_until_us {int} NOT NULL,
    -- What risk added, or why it refused: one of the two.
    approval TEXT,
    denials TEXT,
    status TEXT NOT NULL CHECK (status IN ('denied', 'initialized', 'new', 'partially_filled', 'filled', 'canceled',
        'rejected', 'expired', 'never_sent', 'absent')),
    -- The one value that people are told, made of status, in_flight and in_doubt.
    reported TEXT NOT NULL,
    closed {bool} NOT NULL,
    in_flight TEXT CHECK (in_flight IN ('new', 'cancel')),
    in_doubt {bool} NOT NULL,
    cancel_wanted {bool} NOT NULL,
    send_no {int} NOT NULL,
    cum_qty {int} NOT NULL CHECK (cum_qty >= 0),
    cum_amount_e4 {int} NOT NULL,
    fees_e4 {int} NOT NULL,
    -- The broker filled more than was asked for. It happens; nothing else may make cum_qty larger than qty.
    overfilled {bool} NOT NULL,
    reserved_cash_e4 {int} NOT NULL,
    reserved_qty {int} NOT NULL,
    broker_order_id TEXT,
    reason TEXT,
    created_at_us {int} NOT NULL,
    sent_at_us {int},
    acked_at_us {int},
    first_fill_at_us {int},
    updated_at_us {int} NOT NULL,
    CHECK ((approval IS NULL) <> (denials IS NULL)),
    CHECK (cum_qty <= qty OR overfilled)
) {table};
-- A restart, and everybody who asks what still works.
CREATE INDEX orders_open ON orders (account, id) WHERE NOT closed;

CREATE TABLE fills (
    id {int} PRIMARY KEY CHECK (id > 0),
    account TEXT NOT NULL,
    trade_date {int} NOT NULL,
    exec_id TEXT NOT NULL,
    order_id {int} NOT NULL,
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    qty {int} NOT NULL CHECK (qty > 0),
    px_e4 {int} NOT NULL,
    fee_e4 {int} NOT NULL,
    at_us {int} NOT NULL
) {table};
-- A fill is booked once.
-- Brokers give a fill's number once per order; some use it again for another one. Also finds the fills of an order, and at
-- a restart those of every open order.
CREATE UNIQUE INDEX fills_execution ON fills (order_id, exec_id);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    cash_e4 {int} NOT NULL,
    trade_date {int},
    messages_today {int} NOT NULL CHECK (messages_today >= 0),
    updated_at_us {int} NOT NULL
) {keyed_table};

CREATE TABLE books (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    strategy TEXT NOT NULL,
    qty {int} NOT NULL,
    bought_today {int} NOT NULL,
    cost_e4 {int} NOT NULL,
    realized_pnl_e4 {int} NOT NULL,
    PRIMARY KEY (account, symbol, strategy)
) {keyed_table};

CREATE TABLE strategies (
    id TEXT PRIMARY KEY,
    conf TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'stopped')),
    version {int} NOT NULL
) {keyed_table};

CREATE TABLE trading_states (
    scope_kind TEXT NOT NULL CHECK (scope_kind IN ('global', 'account', 'strategy')),
    -- Empty for the global scope.
    scope_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'reducing', 'halted')),
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_us {int} NOT NULL,
    PRIMARY KEY (scope_kind, scope_id)
) {keyed_table};
";
