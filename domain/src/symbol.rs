//! Instruments' canonical names: `600000.SH 000001.SZ 430047.BJ IF2406.CFFEX rb2410.SHFE 700.HK AAPL.US`.

use std::fmt;

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
)]
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    text: [u8; 15],
    len: u8,
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
        exchange.parse::<Exchange>().map_err(|_| SymbolError)?;
        let mut out = [0_u8; 15];
        out.get_mut(..text.len()).ok_or(SymbolError)?.copy_from_slice(text.as_bytes());
        Ok(Self { text: out, len: text.len() as u8 })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len as usize]).unwrap_or_default()
    }

    /// Bond repo: 204xxx in Shanghai, 1318xx in Shenzhen.
    #[must_use]
    pub fn is_repo(&self) -> bool {
        let text = &self.text[..self.len as usize];
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
        let suffix = self.as_str().rsplit_once('.').map_or("", |(_, exchange)| exchange);
        suffix.parse().unwrap_or(Exchange::SH) // `parse` let no other suffix in
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
        for text in ["600000.SH", "430047.BJ", "IF2406.CFFEX", "rb2410.SHFE", "700.HK", "AAPL.US", "BRK.B.US"] {
            assert_eq!(Symbol::parse(text).map(|s| s.to_string()).as_deref(), Ok(text));
        }
        for text in ["600000", "600000.XSHG", ".SH", "60 00.SH", "600000.sh", "ABCDEFGHIJKLM.SHFE"] {
            assert_eq!(Symbol::parse(text), Err(SymbolError), "{text:?}");
        }
    }
}
