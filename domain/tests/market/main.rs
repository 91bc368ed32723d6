//! The market's rules and calendars against recorded prices and the files of the exchanges' days.

mod abroad;
mod csv;
mod ex_dates;
mod issues;
mod limits;
mod properties;
mod year;
