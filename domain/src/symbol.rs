//! Instruments' canonical names: `600000.SH 000001.SZ 430047.BJ IF2406.CFFEX rb2410.SHFE 700.HK AAPL.US`.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where an instrument trades, by the suffix of its canonical symbol.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::Display,
    strum::IntoStaticStr,
    strum::FromRepr,
)]
#[repr(u8)]
pub enum Exchange {
    SH,
    SZ,
    BJ,
    CFFEX,
    SHFE,
    DCE,
    CZCE,
    INE,
    GFEX,
    HK,
    US,
}

/// The text is no canonical symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical symbol such as 600000.SH")]
pub struct SymbolError;

/// A canonical symbol, kept in place (no allocation): at most 15 ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    text: [u8; 15],
    /// The length in the low half, the exchange in the high one: every check asks where the instrument trades.
    tail: u8,
}

impl Symbol {
    /// Reads the canonical form only; other systems' spellings are [`crate::symbols`]' business.
    ///
    /// # Errors
    /// [`SymbolError`] when it is not `CODE.EXCHANGE` with a code of letters and digits.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        let (code, exchange) = text.rsplit_once('.').ok_or(SymbolError)?;
        if code.is_empty() || !code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') {
            return Err(SymbolError);
        }
        let exchange = exchange.parse::<Exchange>().map_err(|_| SymbolError)?;
        let mut out = [0_u8; 15];
        out.get_mut(..text.len()).ok_or(SymbolError)?.copy_from_slice(text.as_bytes());
        Ok(Self { text: out, tail: (exchange as u8) << 4 | text.len() as u8 })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.tail & 0x0f)]
    }

    /// Bond repo: 204xxx in Shanghai, 1318xx in Shenzhen.
    #[must_use]
    pub fn is_repo(&self) -> bool {
        let text = self.bytes();
        text.len() == 9
            && ((text.starts_with(b"204") && text.ends_with(b".SH"))
                || (text.starts_with(b"1318") && text.ends_with(b".SZ")))
    }

    /// `600000` of `600000.SH`.
    #[must_use]
    pub fn code(&self) -> &str {
        self.as_str().rsplit_once('.').map_or("", |(code, _)| code)
    }

    #[must_use]
    pub fn exchange(&self) -> Exchange {
        Exchange::from_repr(self.tail >> 4).unwrap_or(Exchange::SH) // `parse` writes no other
    }
}

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [self.tail; 16];
        bytes[..15].copy_from_slice(&self.text);
        let whole = u128::from_le_bytes(bytes);
        state.write_u64(whole as u64);
        state.write_u64((whole >> 64) as u64);
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_symbols_read_back() {
        for text in [
            "600000.SH",
            "000001.SZ",
            "430047.BJ",
            "IF2406.CFFEX",
            "rb2410.SHFE",
            "i2501.DCE",
            "SR501.CZCE",
            "sc2501.INE",
            "si2501.GFEX",
            "700.HK",
            "AAPL.US",
            "BRK.B.US",
        ] {
            let symbol = Symbol::parse(text);
            assert_eq!(symbol.map(|s| s.to_string()).as_deref(), Ok(text));
            assert!(symbol.is_ok_and(|s| text.ends_with(&format!(".{}", s.exchange()))), "{text}");
        }
        for text in ["600000", "600000.XSHG", ".SH", "60 00.SH", "600000.sh", "ABCDEFGHIJKLM.SHFE"] {
            assert_eq!(Symbol::parse(text), Err(SymbolError), "{text:?}");
        }
    }
}
