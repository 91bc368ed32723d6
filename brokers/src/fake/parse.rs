//! From the grids of text that a terminal shows to a [`Snapshot`]. Whatever cannot be read for certain is a failed read.

use std::collections::HashMap;
use std::sync::Arc;

use signalbox_domain::broker::{
    ListedCash, ListedOrder, ListedPosition, ListedStatus, ListedTrade, ReadFailed, Snapshot,
};
use signalbox_domain::ids::{BrokerOrderId, ExecId};
use signalbox_domain::order::Side;
use signalbox_domain::seeded::{SeededBug, seeded};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Timestamp, TradeDate, parse_decimal};

use super::wire::{Grid, List, read_time};

/// All lists of one read, in the order of [`List::ALL`].
pub(super) fn snapshot(at: Timestamp, grids: &[Grid; 4]) -> Result<Snapshot, ReadFailed> {
    let [orders, trades, positions, cash] = grids;
    let tables = [
        Table::new(List::Orders, orders)?,
        Table::new(List::Trades, trades)?,
        Table::new(List::Positions, positions)?,
        Table::new(List::Cash, cash)?,
    ];
    let (date, owner) = (tables[0].date, &orders.fund_account);
    let foreign = grids.iter().any(|grid| grid.fund_account != *owner) && !seeded(SeededBug::ForeignSnapshotBelieved);
    if tables.iter().any(|table| table.date != date) || foreign {
        return Err(failed("the lists are of different days or accounts"));
    }
    let [orders, trades, positions, cash] = tables;
    Ok(Snapshot {
        fund_account: owner.as_deref().map(Arc::from),
        trade_date: date,
        began: at,
        ended: at,
        complete: grids.iter().all(|grid| grid.total.is_some_and(|total| total <= grid.rows.len())),
        orders: orders.rows(order)?,
        trades: trades.rows(trade)?,
        positions: positions.rows(position)?,
        cash: cash.rows(cash_row)?.into_iter().next(),
    })
}

/// The orders alone, for lookups.
pub(super) fn orders(grid: &Grid) -> Result<Vec<ListedOrder>, ReadFailed> {
    Table::new(List::Orders, grid)?.rows(order)
}

pub(super) fn trades(grid: &Grid) -> Result<Vec<ListedTrade>, ReadFailed> {
    Table::new(List::Trades, grid)?.rows(trade)
}

/// A grid whose headers are those of the list that was asked for.
struct Table<'a> {
    list: List,
    date: TradeDate,
    grid: &'a Grid,
    /// Where each header stands: terminals let people move columns.
    places: HashMap<&'a str, usize>,
}

struct Cells<'a> {
    table: &'a Table<'a>,
    row: &'a [String],
}

fn failed(what: impl Into<String>) -> ReadFailed {
    ReadFailed(what.into().into())
}

impl<'a> Table<'a> {
    fn new(list: List, grid: &'a Grid) -> Result<Self, ReadFailed> {
        let places: HashMap<&str, usize> =
            grid.columns.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let wanted = list.columns();
        let believed = seeded(SeededBug::EmptyListIsAbsent) || seeded(SeededBug::SyncDeletes);
        let unread = grid.columns.is_empty() && believed;
        if !unread && (places.len() != wanted.len() || wanted.iter().any(|name| !places.contains_key(name))) {
            return Err(failed(format!("what was read is not the list of {list}")));
        }
        let date = grid.date.as_deref().and_then(TradeDate::parse);
        let date = date.ok_or_else(|| failed(format!("the list of {list} has no date")))?;
        Ok(Self { list, date, grid, places })
    }

    fn rows<T>(&self, read: impl Fn(&Cells<'_>) -> Option<T>) -> Result<Vec<T>, ReadFailed> {
        let rows = self.grid.rows.iter().enumerate().map(|(n, row)| {
            let whole = row.len() == self.grid.columns.len();
            let read = whole.then(|| read(&Cells { table: self, row })).flatten();
            read.ok_or_else(|| failed(format!("row {} of the list of {} cannot be read", n + 1, self.list)))
        });
        rows.collect()
    }
}

impl<'a> Cells<'a> {
    fn text(&self, column: &str) -> Option<&'a str> {
        self.row.get(*self.table.places.get(column)?).map(String::as_str)
    }

    fn symbol(&self) -> Option<Symbol> {
        Symbol::parse(self.text("证券代码")?).ok()
    }

    fn side(&self) -> Option<Side> {
        match self.text("买卖")? {
            "买入" => Some(Side::Buy),
            "卖出" => Some(Side::Sell),
            _ => None,
        }
    }

    fn qty(&self, column: &str) -> Option<Qty> {
        let e4 = parse_decimal(&self.number(column)?, 4).ok()?;
        (e4 % 10_000 == 0 && e4 >= 0).then(|| Qty::new(e4 / 10_000))
    }

    fn price(&self, column: &str) -> Option<Price> {
        Price::parse(&self.number(column)?).ok()
    }

    fn money(&self, column: &str) -> Option<Money> {
        Money::parse(&self.number(column)?).ok()
    }

    /// Without the commas between thousands, which have to stand where they belong.
    fn number(&self, column: &str) -> Option<String> {
        let text = self.text(column)?;
        let whole = text.split('.').next()?;
        let mut groups = whole.split(',');
        let first = groups.next()?;
        let fits = |group: &str| group.len() == 3;
        let right = !whole.contains(',') || ((1..=3).contains(&first.len()) && groups.all(fits));
        right.then(|| text.replace(',', ""))
    }

    fn time(&self, column: &str) -> Option<Timestamp> {
        read_time(self.text(column)?, self.table.date)
    }

    fn no(&self) -> Option<BrokerOrderId> {
        let no = self.text("合同编号")?;
        is_no(no).then(|| BrokerOrderId(no.into()))
    }
}

/// The broker's numbers have ten digits. Anything else was read from the wrong place.
pub(super) fn is_no(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit())
}

fn order(cells: &Cells<'_>) -> Option<ListedOrder> {
    let px = match cells.text("委托价格")? {
        "市价" => None,
        _ => Some(cells.price("委托价格")?),
    };
    Some(ListedOrder {
        no: cells.no()?,
        tag: cells.text("备注").filter(|tag| !tag.is_empty()).map(Arc::from),
        symbol: cells.symbol()?,
        side: cells.side()?,
        qty: cells.qty("委托数量")?,
        px,
        cum_qty: cells.qty("成交数量")?,
        canceled_qty: cells.qty("撤单数量")?,
        status: match cells.text("状态")? {
            "已报" | "部成" => ListedStatus::Working,
            "已成" => ListedStatus::Filled,
            "已撤" | "部撤" => ListedStatus::Canceled,
            "废单" => ListedStatus::Rejected,
            _ => ListedStatus::Unknown,
        },
        at: cells.time("委托时间")?,
    })
}

fn trade(cells: &Cells<'_>) -> Option<ListedTrade> {
    Some(ListedTrade {
        no: cells.no()?,
        exec_id: ExecId(cells.text("成交编号")?.into()),
        symbol: cells.symbol()?,
        side: cells.side()?,
        qty: cells.qty("成交数量")?,
        px: cells.price("成交价格")?,
        at: cells.time("成交时间")?,
    })
}

fn position(cells: &Cells<'_>) -> Option<ListedPosition> {
    Some(ListedPosition {
        symbol: cells.symbol()?, qty: cells.qty("股票余额")?, sellable: cells.qty("可用余额")?
    })
}

fn cash_row(cells: &Cells<'_>) -> Option<ListedCash> {
    Some(ListedCash { total: cells.money("资金余额")?, available: cells.money("可用金额")? })
}
