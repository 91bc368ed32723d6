//! With how many cases the properties are tried.

use proptest::prelude::ProptestConfig;

/// `SIGNALBOX_CASES` when the tests are built, by default 2,000.
pub(crate) fn config() -> ProptestConfig {
    let cases = option_env!("SIGNALBOX_CASES").and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
