//! `fake-broker`: a broker in a process of its own, for tests that kill one side or the other.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use signalbox_brokers::fake::wire::{Control, FillPolicy};
use signalbox_brokers::fake::{FakeBroker, FakeConf};
use signalbox_domain::broker::Level;
use signalbox_domain::fees::{FeeRules, StampDutyOf};
use signalbox_domain::units::{Money, Ratio, Span};
use signalbox_support::fake_broker::{read, start};

#[derive(Debug, Parser)]
#[command(about = "A broker that does not exist, with a ledger that tells the truth")]
struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Serves accounts on the loopback.
    Serve {
        #[arg(long, default_value = "127.0.0.1:8500")]
        listen: SocketAddr,
        /// Appended to and flushed before anything is said; read back at the start.
        #[arg(long)]
        ledger: PathBuf,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// at_once, never, after:MS, partly:PERCENT[:MS] or random:MS
        #[arg(long, default_value = "at_once", value_parser = policy)]
        fills: FillPolicy,
        /// What accounts open with that connect without having been opened.
        #[arg(long, default_value = "100000000", value_parser = money)]
        cash: Money,
        /// How long ids are enforced at level L3.
        #[arg(long, default_value_t = 600)]
        id_lives_s: u32,
        /// Takes the fees that a stock has cost since 2023-08-28, with a commission of 0.025 %.
        #[arg(long)]
        fees: bool,
        /// NAME:LEVEL:CASH, as often as wanted.
        #[arg(long, value_parser = account)]
        account: Vec<Control>,
    },
    /// Prints what a ledger says: accounts, orders, positions and cash, as JSON; with --lines every fact.
    Dump {
        #[arg(long)]
        ledger: PathBuf,
        #[arg(long)]
        lines: bool,
    },
}

const FEES: FeeRules = FeeRules {
    commission: FeeRules::COMMISSION_DEFAULT,
    commission_cap: Ratio::from_e6(3_000),
    commission_min: Money::from_units(5),
    stamp_duty_sell: Ratio::from_e6(500),
    stamp_duty_of: StampDutyOf::Seller,
    transfer_fee: Ratio::from_e6(10),
};

#[actix_web::main]
async fn main() -> io::Result<()> {
    match Args::parse().command {
        Sub::Serve { listen, ledger, seed, fills, cash, id_lives_s, fees, account } => {
            if !listen.ip().is_loopback() {
                return Err(io::Error::other("play money stays on the loopback"));
            }
            let id_lives = Span::from_secs(i64::from(id_lives_s));
            let conf = FakeConf { seed, fills, cash, id_lives, fees: fees.then_some(FEES), ..FakeConf::default() };
            let running = start(listen, &ledger, conf, account)?;
            println!("fake-broker listens on http://{}", running.at);
            running.server.await
        }
        Sub::Dump { ledger, lines } => {
            let facts = read(&ledger)?;
            if lines {
                for fact in &facts {
                    println!("{}", serde_json::to_string(fact)?);
                }
            } else {
                let truth = FakeBroker::resume(FakeConf::default(), &facts, 0).truth();
                println!("{}", serde_json::to_string_pretty(&truth)?);
            }
            Ok(())
        }
    }
}

fn policy(text: &str) -> Result<FillPolicy, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |text: &str| text.parse::<u64>().map_err(|e| e.to_string());
    match parts[..] {
        ["at_once"] => Ok(FillPolicy::AtOnce),
        ["never"] => Ok(FillPolicy::Never),
        ["after", ms] => Ok(FillPolicy::After { ms: number(ms)? }),
        ["random", ms] => Ok(FillPolicy::Random { ms: number(ms)? }),
        ["partly", percent] => Ok(FillPolicy::Partly { percent: small(percent)?, ms: None }),
        ["partly", percent, ms] => Ok(FillPolicy::Partly { percent: small(percent)?, ms: Some(number(ms)?) }),
        _ => Err("use at_once, never, after:MS, partly:PERCENT[:MS] or random:MS".to_owned()),
    }
}

fn small(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "not a percentage".to_owned())
}

fn money(text: &str) -> Result<Money, String> {
    Money::parse(text).map_err(|e| e.to_string())
}

fn account(text: &str) -> Result<Control, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, level, cash] = parts[..] else { return Err("use NAME:LEVEL:CASH, such as a:L2:1000000".to_owned()) };
    let level = match level {
        "L0" => Level::L0,
        "L1" => Level::L1,
        "L2" => Level::L2,
        "L3" => Level::L3,
        "L4" => Level::L4,
        _ => return Err("the level is one of L0 to L4".to_owned()),
    };
    Ok(Control::Open { account: name.to_owned(), level, cash: money(cash)?, holdings: Vec::new() })
}
