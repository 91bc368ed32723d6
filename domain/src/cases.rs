//! With how many cases the properties are tried.

use proptest::prelude::ProptestConfig;

/// `SIGNALBOX_CASES`, by default 2,000.
pub(crate) fn config() -> ProptestConfig {
    let cases = std::env::var("SIGNALBOX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
