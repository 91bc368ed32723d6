//! Other systems' spellings of an instrument, read into the canonical symbol.
//!
//! One table of code prefixes decides what a six-digit code of the mainland exchanges is; an exchange that the text
//! names must agree with it. What could mean two things is refused: an order must never go to the wrong instrument.

use crate::instrument::Board;
use crate::symbol::{Exchange, Symbol};

/// Why the text names no instrument that can be traded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("unknown symbol")]
    Unknown,
    #[error("this is an index, which cannot be traded")]
    Index,
    #[error("the code is not one of {given}; did you mean {belongs}?")]
    WrongExchange { given: Exchange, belongs: Symbol },
    #[error("ambiguous: {why}")]
    Ambiguous { why: &'static str },
}

/// Reads a symbol in any known dialect.
///
/// | dialect | examples |
/// |---|---|
/// | canonical | `600000.SH` `rb2501.SHFE` `SR501.CZCE` `700.HK` `AAPL.US` |
/// | JoinQuant | `600000.XSHG` `000001.XSHE` `RB2501.XSGE` `SR2501.XZCE` `IF2501.CCFX` |
/// | QMT | `600000.SH` `430047.BJ` `rb2501.SF` `m2501.DF` `SR501.ZF` `IF2501.IF` `sc2501.INE` `si2501.GF` |
/// | vn.py | `600000.SSE` `000001.SZSE` `430047.BSE` `700.SEHK` `AAPL.SMART` `AAPL-USD-STK.SMART` |
/// | tushare | `600000.SH` `RB2501.SHF` `SR2501.ZCE` `IF2501.CFX` `SI2501.GFE` |
/// | easytrader | `600000`: in orders `000001` is the stock 000001.SZ, never the Shanghai index |
/// | prefixed | `sh600000` `SZ000001` |
/// | LongPort | `700.HK` `AAPL.US` |
/// | TradingView | `SSE:600000` `HKEX:700` `NASDAQ:AAPL` `CFFEX:IF2501` |
///
/// The exchange part may be in lower case, the code of a share may not. A futures product may be all upper or all lower
/// case and is written as its exchange does.
///
/// # Errors
/// [`ResolveError`] tells the unknown, the index, the wrong exchange and the ambiguous apart.
pub fn resolve(text: &str) -> Result<Symbol, ResolveError> {
    // Longer than any spelling: no need to look at it.
    if text.len() > 32 || !text.is_ascii() {
        return Err(ResolveError::Unknown);
    }
    if let Some((exchange, code)) = text.split_once(':') {
        return on_exchange(code, tradingview(exchange)?);
    }
    if let Some((code, suffix)) = text.rsplit_once('.') {
        return match SUFFIXES.iter().find(|(name, _)| name.eq_ignore_ascii_case(suffix)) {
            Some((name, exchange)) => on_exchange(gateway_code(code, name)?, *exchange),
            None => Err(ResolveError::Unknown),
        };
    }
    if is_six_digits(text) {
        let row = PREFIXES.iter().find(|row| row.class != Class::Index && text.starts_with(row.prefix));
        return row.map_or(Err(ResolveError::Unknown), |row| symbol(text, row.exchange));
    }
    if let Some((exchange, code)) = text.split_at_checked(2).filter(|(_, code)| is_six_digits(code)) {
        for (name, exchange_of) in [("sh", Exchange::SH), ("sz", Exchange::SZ), ("bj", Exchange::BJ)] {
            if exchange.eq_ignore_ascii_case(name) {
                return on_exchange(code, exchange_of);
            }
        }
    }
    match text.bytes().next() {
        Some(b) if b.is_ascii_alphabetic() => Err(ResolveError::Ambiguous { why: "the exchange is missing" }),
        _ => Err(ResolveError::Unknown),
    }
}

/// The board of a share, fund or bond of the mainland exchanges, by its code; `None` for everything else.
#[must_use]
pub fn board_of(symbol: Symbol) -> Option<Board> {
    match class_of(symbol.code(), symbol.exchange())? {
        Class::Board(board) => Some(board),
        Class::Issue(_) | Class::Index => None,
    }
}

/// The board of the share that a code is subscribed to for; `None` for codes that nobody subscribes by. Shanghai has codes
/// of its own for that. Shenzhen takes the share's code, as Beijing does since it gives out 92; before it took 889.
#[must_use]
pub fn issue_board_of(symbol: Symbol) -> Option<Board> {
    match (symbol.exchange(), class_of(symbol.code(), symbol.exchange())?) {
        (Exchange::SH, Class::Issue(board)) => Some(board),
        (Exchange::SZ, Class::Board(board @ (Board::Main | Board::ChiNext))) => Some(board),
        (Exchange::BJ, Class::Board(board)) => {
            ["889", "92"].iter().any(|prefix| symbol.code().starts_with(prefix)).then_some(board)
        }
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Board(Board),
    /// New shares of the board are subscribed to by it, and nothing else.
    Issue(Board),
    Index,
}

struct Prefix {
    prefix: &'static str,
    exchange: Exchange,
    class: Class,
}

const fn is(prefix: &'static str, exchange: Exchange, board: Board) -> Prefix {
    Prefix { prefix, exchange, class: Class::Board(board) }
}

const fn issue(prefix: &'static str, exchange: Exchange, board: Board) -> Prefix {
    Prefix { prefix, exchange, class: Class::Issue(board) }
}

const fn index(prefix: &'static str, exchange: Exchange) -> Prefix {
    Prefix { prefix, exchange, class: Class::Index }
}

/// The one table of mainland codes. No prefix begins another of the same exchange, and none but an index's begins one
/// of another exchange, so that order does not matter and a bare code has one meaning.
const PREFIXES: &[Prefix] = &[
    is("600", Exchange::SH, Board::Main),
    is("601", Exchange::SH, Board::Main),
    is("603", Exchange::SH, Board::Main),
    is("605", Exchange::SH, Board::Main),
    is("688", Exchange::SH, Board::Star),
    is("689", Exchange::SH, Board::Star),
    is("51", Exchange::SH, Board::Etf),
    is("52", Exchange::SH, Board::Etf),
    is("56", Exchange::SH, Board::Etf),
    is("58", Exchange::SH, Board::Etf),
    is("501", Exchange::SH, Board::Etf),
    is("502", Exchange::SH, Board::Etf),
    is("508", Exchange::SH, Board::Reit),
    is("110", Exchange::SH, Board::Convertible),
    is("111", Exchange::SH, Board::Convertible),
    is("113", Exchange::SH, Board::Convertible),
    is("118", Exchange::SH, Board::Convertible),
    is("204", Exchange::SH, Board::Repo),
    is("900", Exchange::SH, Board::BShare),
    issue("730", Exchange::SH, Board::Main),
    issue("780", Exchange::SH, Board::Main),
    issue("732", Exchange::SH, Board::Main),
    issue("707", Exchange::SH, Board::Main),
    issue("787", Exchange::SH, Board::Star),
    index("000", Exchange::SH),
    index("93", Exchange::SH),
    index("95", Exchange::SH),
    is("000", Exchange::SZ, Board::Main),
    is("001", Exchange::SZ, Board::Main),
    is("002", Exchange::SZ, Board::Main),
    is("003", Exchange::SZ, Board::Main),
    is("300", Exchange::SZ, Board::ChiNext),
    is("301", Exchange::SZ, Board::ChiNext),
    is("302", Exchange::SZ, Board::ChiNext),
    is("159", Exchange::SZ, Board::Etf),
    is("16", Exchange::SZ, Board::Etf),
    is("180", Exchange::SZ, Board::Reit),
    is("123", Exchange::SZ, Board::Convertible),
    is("127", Exchange::SZ, Board::Convertible),
    is("128", Exchange::SZ, Board::Convertible),
    is("1318", Exchange::SZ, Board::Repo),
    is("200", Exchange::SZ, Board::BShare),
    index("399", Exchange::SZ),
    is("43", Exchange::BJ, Board::Beijing),
    is("83", Exchange::BJ, Board::Beijing),
    is("87", Exchange::BJ, Board::Beijing),
    is("88", Exchange::BJ, Board::Beijing),
    // A leading 9 is not always a Shanghai B share (900).
    is("92", Exchange::BJ, Board::Beijing),
    index("899", Exchange::BJ),
];

/// All suffixes of all dialects; none means two exchanges.
const SUFFIXES: &[(&str, Exchange)] = &[
    ("SH", Exchange::SH),
    ("XSHG", Exchange::SH),
    ("SSE", Exchange::SH),
    ("SZ", Exchange::SZ),
    ("XSHE", Exchange::SZ),
    ("SZSE", Exchange::SZ),
    ("BJ", Exchange::BJ),
    ("BSE", Exchange::BJ),
    ("SHFE", Exchange::SHFE),
    ("XSGE", Exchange::SHFE),
    ("SF", Exchange::SHFE),
    ("SHF", Exchange::SHFE),
    ("DCE", Exchange::DCE),
    ("XDCE", Exchange::DCE),
    ("DF", Exchange::DCE),
    ("CZCE", Exchange::CZCE),
    ("XZCE", Exchange::CZCE),
    ("ZF", Exchange::CZCE),
    ("ZCE", Exchange::CZCE),
    ("CFFEX", Exchange::CFFEX),
    ("CCFX", Exchange::CFFEX),
    ("IF", Exchange::CFFEX),
    ("CFX", Exchange::CFFEX),
    ("INE", Exchange::INE),
    ("XINE", Exchange::INE),
    ("GFEX", Exchange::GFEX),
    ("GF", Exchange::GFEX),
    ("GFE", Exchange::GFEX),
    ("HK", Exchange::HK),
    ("SEHK", Exchange::HK),
    ("US", Exchange::US),
    ("SMART", Exchange::US),
    ("NASDAQ", Exchange::US),
    ("NYSE", Exchange::US),
    ("AMEX", Exchange::US),
];

fn tradingview(exchange: &str) -> Result<Exchange, ResolveError> {
    match exchange.to_ascii_uppercase().as_str() {
        "SSE" => Ok(Exchange::SH),
        "SZSE" => Ok(Exchange::SZ),
        "HKEX" => Ok(Exchange::HK),
        "NASDAQ" | "NYSE" | "AMEX" => Ok(Exchange::US),
        "CFFEX" => Ok(Exchange::CFFEX),
        "SHFE" => Ok(Exchange::SHFE),
        "DCE" => Ok(Exchange::DCE),
        "CZCE" | "ZCE" => Ok(Exchange::CZCE),
        "INE" => Ok(Exchange::INE),
        "GFEX" => Ok(Exchange::GFEX),
        "BSE" => Err(ResolveError::Ambiguous { why: "BSE: is Bombay there, and Beijing as a suffix" }),
        _ => Err(ResolveError::Unknown),
    }
}

/// vn.py's gateway to Interactive Brokers writes `AAPL-USD-STK.SMART`; the router SMART alone does not say which
/// country it routes to, so the currency must agree where it is given.
fn gateway_code<'a>(code: &'a str, suffix: &str) -> Result<&'a str, ResolveError> {
    let Some((code, contract)) = code.split_once('-') else { return Ok(code) };
    match (suffix, contract) {
        ("SMART" | "NASDAQ" | "NYSE" | "AMEX", "USD-STK") | ("SEHK", "HKD-STK") => Ok(code),
        ("SMART", _) => Err(ResolveError::Ambiguous { why: "SMART routes to several markets; only USD-STK is US" }),
        _ => Err(ResolveError::Unknown),
    }
}

fn on_exchange(code: &str, exchange: Exchange) -> Result<Symbol, ResolveError> {
    match exchange {
        Exchange::SH | Exchange::SZ | Exchange::BJ => mainland(code, exchange),
        Exchange::HK => hong_kong(code),
        Exchange::US => united_states(code),
        _ => future(code, exchange),
    }
}

fn mainland(code: &str, exchange: Exchange) -> Result<Symbol, ResolveError> {
    if !is_six_digits(code) {
        return Err(ResolveError::Unknown);
    }
    match class_of(code, exchange) {
        Some(Class::Board(_) | Class::Issue(_)) => symbol(code, exchange),
        Some(Class::Index) => Err(ResolveError::Index),
        None => match PREFIXES.iter().find(|row| code.starts_with(row.prefix)) {
            Some(Prefix { class: Class::Index, .. }) | None => Err(ResolveError::Unknown),
            Some(row) => Err(ResolveError::WrongExchange { given: exchange, belongs: symbol(code, row.exchange)? }),
        },
    }
}

fn class_of(code: &str, exchange: Exchange) -> Option<Class> {
    let row = PREFIXES.iter().find(|row| row.exchange == exchange && code.starts_with(row.prefix));
    row.filter(|_| is_six_digits(code)).map(|row| row.class)
}

/// One to five digits; leading zeros are another spelling of the same number.
fn hong_kong(code: &str) -> Result<Symbol, ResolveError> {
    let number = code.trim_start_matches('0');
    if number.is_empty() || code.len() > 5 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ResolveError::Unknown);
    }
    symbol(number, Exchange::HK)
}

/// Letters, with the class of share after a point: `BRK.B`.
fn united_states(code: &str) -> Result<Symbol, ResolveError> {
    let (ticker, class) = code.split_once('.').unwrap_or((code, "A"));
    let letters = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_uppercase());
    if !letters(ticker) || !letters(class) || ticker.len() > 5 || class.len() > 2 {
        return Err(ResolveError::Unknown);
    }
    symbol(code, Exchange::US)
}

/// Product and delivery month: `rb2501`, on CZCE `SR501` with the last digit of the year only. JoinQuant and tushare
/// write the year of CZCE in full.
fn future(code: &str, exchange: Exchange) -> Result<Symbol, ResolveError> {
    const CONTINUOUS: ResolveError = ResolveError::Ambiguous { why: "a continuous contract names no delivery month" };
    let digits_at = code.bytes().position(|b| !b.is_ascii_alphabetic()).unwrap_or(code.len());
    let (product, month) = code.split_at(digits_at);
    let one_case = !product.bytes().any(|b| b.is_ascii_lowercase()) || !product.bytes().any(|b| b.is_ascii_uppercase());
    if product.is_empty() || product.len() > 3 || !one_case {
        return Err(ResolveError::Unknown);
    }
    // IF1!, IF (tushare), IFL (tushare), rb00 (QMT), rb88 rb888 rb99 (vn.py), RB8888 RB9999 (JoinQuant)
    if month.ends_with('!') || matches!(month, "" | "00" | "88" | "888" | "99" | "999" | "8888" | "9999" | "000") {
        return Err(CONTINUOUS);
    }
    let canonical_month = match (exchange, month.len()) {
        (Exchange::CZCE, 3) => month,
        (Exchange::CZCE, 4) => &month[1..],
        (_, 4) => month,
        _ => return Err(ResolveError::Unknown),
    };
    let is_month = |s: &str| s.parse().is_ok_and(|m: u8| (1..=12).contains(&m));
    if product.len() > 2 || !month.bytes().all(|b| b.is_ascii_digit()) || !is_month(&month[month.len() - 2..]) {
        return Err(ResolveError::Unknown);
    }
    let product = match exchange {
        Exchange::CFFEX | Exchange::CZCE => product.to_ascii_uppercase(),
        _ => product.to_ascii_lowercase(),
    };
    symbol(&format!("{product}{canonical_month}"), exchange)
}

fn symbol(code: &str, exchange: Exchange) -> Result<Symbol, ResolveError> {
    Symbol::parse(&format!("{code}.{exchange}")).map_err(|_| ResolveError::Unknown)
}

fn is_six_digits(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        resolve(text).map_or_else(|e| format!("{text}: {e}"), |s| s.to_string())
    }

    #[test]
    fn every_dialect_means_the_same_instruments() {
        let spellings: [(&str, &[&str]); 11] = [
            (
                "600000.SH",
                &[
                    "600000.SH",
                    "600000.XSHG",
                    "600000.SSE",
                    "600000",
                    "sh600000",
                    "SH600000",
                    "SSE:600000",
                    "600000.sh",
                    "600000.xshg",
                ],
            ),
            ("000001.SZ", &["000001.SZ", "000001.XSHE", "000001.SZSE", "000001", "sz000001", "SZSE:000001"]),
            ("430047.BJ", &["430047.BJ", "430047.BSE", "430047", "bj430047"]),
            ("rb2501.SHFE", &["rb2501.SHFE", "RB2501.XSGE", "rb2501.SF", "RB2501.SHF", "SHFE:RB2501"]),
            ("m2501.DCE", &["m2501.DCE", "M2501.XDCE", "m2501.DF", "M2501.DCE"]),
            ("SR501.CZCE", &["SR501.CZCE", "SR501.ZF", "SR2501.XZCE", "SR501.XZCE", "SR2501.ZCE", "sr501.ZF"]),
            ("IF2501.CFFEX", &["IF2501.CFFEX", "IF2501.CCFX", "IF2501.IF", "IF2501.CFX", "CFFEX:IF2501"]),
            ("sc2501.INE", &["sc2501.INE", "SC2501.XINE", "SC2501.INE"]),
            ("si2501.GFEX", &["si2501.GFEX", "SI2501.GFEX", "si2501.GF", "SI2501.GFE"]),
            ("700.HK", &["700.HK", "00700.HK", "0700.HK", "700.SEHK", "00700.SEHK", "HKEX:700", "700-HKD-STK.SEHK"]),
            ("AAPL.US", &["AAPL.US", "AAPL.SMART", "AAPL.NASDAQ", "AAPL-USD-STK.SMART", "NASDAQ:AAPL", "AAPL.us"]),
        ];
        for (canonical, texts) in spellings {
            for text in texts {
                assert_eq!(read(text), canonical, "{text}");
            }
        }
        assert_eq!(read("NYSE:BRK.B"), "BRK.B.US");
        assert_eq!(read("BRK.B.US"), "BRK.B.US");
    }

    #[test]
    fn a_bare_code_goes_to_its_only_exchange() {
        for (code, canonical) in [
            ("000001", "000001.SZ"),
            ("688981", "688981.SH"),
            ("300750", "300750.SZ"),
            ("510300", "510300.SH"),
            ("159915", "159915.SZ"),
            ("118000", "118000.SH"),
            ("204001", "204001.SH"),
            ("131810", "131810.SZ"),
            ("200002", "200002.SZ"),
            ("900901", "900901.SH"),
            ("920001", "920001.BJ"),
        ] {
            assert_eq!(read(code), canonical);
        }
        for code in ["399001", "700000", "60000", "6000000", "", "６０００００"] {
            assert_eq!(resolve(code), Err(ResolveError::Unknown), "{code}");
        }
    }

    #[test]
    fn a_code_that_contradicts_its_exchange_is_refused_with_the_right_one() {
        let told = "600000.SZ: the code is not one of SZ; did you mean 600000.SH?";
        assert_eq!(read("600000.SZ"), told);
        for text in ["159915.XSHG", "sz600000", "SSE:300750", "430047.SH", "200002.SH", "920001.SSE"] {
            assert!(matches!(resolve(text), Err(ResolveError::WrongExchange { .. })), "{text}");
        }
    }

    #[test]
    fn an_index_is_no_instrument_to_trade() {
        for text in ["000001.SH", "000300.XSHG", "sh000001", "SSE:000016", "399001.SZ", "399006.XSHE", "899050.BJ"] {
            assert_eq!(resolve(text), Err(ResolveError::Index), "{text}");
        }
    }

    #[test]
    fn continuous_contracts_and_names_without_exchange_are_ambiguous() {
        for text in
            ["CFFEX:IF1!", "SHFE:RB2!", "RB9999.XSGE", "RB8888.XSGE", "rb888.SHFE", "rb00.SF", "IF.CFX", "CUL.SHF"]
        {
            let why = "a continuous contract names no delivery month";
            assert_eq!(resolve(text), Err(ResolveError::Ambiguous { why }), "{text}");
        }
        for text in ["rb2501", "AAPL", "IF1!"] {
            assert_eq!(resolve(text), Err(ResolveError::Ambiguous { why: "the exchange is missing" }), "{text}");
        }
        for text in ["BSE:430047", "AAPL-EUR-STK.SMART"] {
            assert!(matches!(resolve(text), Err(ResolveError::Ambiguous { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_no_symbol_is_unknown() {
        for text in [
            "600000.XX",
            "600000.",
            ".SH",
            "60000.SH",
            "aapl.US",
            "265598.SMART",
            "AAPL1.US",
            "0.HK",
            "000700.HK",
            "7a.HK",
            "Rb2501.SHFE",
            "rb2513.SHFE",
            "rb2500.SHFE",
            "rb501.SHFE",
            "SR513.ZF",
            "IO2406-C-3500.CFFEX",
            "rbx2501.SHFE",
            " 600000.SH",
            "600000.SH ",
            "NASDAQ:",
            ":AAPL",
            "TSX:SHOP",
            "BRK.B.C.US",
            "00700.HGT",
            "a-very-long-text-that-cannot-be-a-symbol.SH",
        ] {
            assert_eq!(resolve(text), Err(ResolveError::Unknown), "{text:?}");
        }
    }

    #[test]
    fn the_table_gives_each_code_one_meaning() {
        for (i, a) in PREFIXES.iter().enumerate() {
            for b in &PREFIXES[i + 1..] {
                let nested = a.prefix.starts_with(b.prefix) || b.prefix.starts_with(a.prefix);
                let same = a.exchange == b.exchange;
                let index = a.class == Class::Index || b.class == Class::Index;
                assert!(!nested || (!same && index), "{} and {}", a.prefix, b.prefix);
            }
        }
        for (i, (name, _)) in SUFFIXES.iter().enumerate() {
            assert!(SUFFIXES[i + 1..].iter().all(|(other, _)| other != name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_resolves_is_canonical_and_resolves_to_itself(text in "[a-zA-Z0-9]{1,6}[.:!-]?[A-Za-z]{0,5}") {
            if let Ok(symbol) = resolve(&text) {
                prop_assert_eq!(resolve(symbol.as_str()), Ok(symbol));
            }
        }

        #[test]
        fn a_bare_code_and_its_canonical_form_agree(code in "[0-9]{6}") {
            if let Ok(symbol) = resolve(&code) {
                prop_assert_eq!(symbol.code(), code.as_str());
                prop_assert!(board_of(symbol).or(issue_board_of(symbol)).is_some());
                prop_assert_eq!(resolve(symbol.as_str()), Ok(symbol));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = resolve(&text);
        }
    }
}
