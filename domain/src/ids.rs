//! Names and numbers that identify things. A name is chosen by people and stable; a number comes from a persisted,
//! rising sequence, so that the same durable row always gives the same id and a resend carries the id of the first send.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The text is no name: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a name: use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit")]
pub struct NameError;

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// # Errors
            /// [`NameError`] when the text is no name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                if is_name(text) { Ok(Self(text.into())) } else { Err(NameError) }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// One account at one broker (FIX Account 1, 资金账号), by the stable name that people gave it.
    AccountId
}
name! {
    /// One strategy, by name. The books of an account are kept per strategy.
    StrategyId
}
name! {
    /// A named set of accounts that a route can point to.
    GroupId
}
name! {
    /// Who sent a request: a user or an API key. The first half of an idempotency key.
    ClientId
}

impl ClientId {
    /// Who sends the signals of monitors: no person and no program has this name.
    #[must_use]
    pub fn monitor() -> Self {
        Self("signalbox:monitor".into())
    }
}

impl StrategyId {
    /// The book of orders that a person made by hand in Signalbox.
    #[must_use]
    pub fn manual() -> Self {
        Self("manual".into())
    }

    #[must_use]
    pub fn is_manual(&self) -> bool {
        &*self.0 == "manual"
    }

    /// The book of holdings that no strategy of ours claims.
    pub const EXTERNAL: &'static str = "EXTERNAL";

    #[must_use]
    pub fn external() -> Self {
        Self(Self::EXTERNAL.into())
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            #[must_use]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Reads the printed form back; `None` for anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?;
                let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
                canonical.then(|| digits.parse().ok().map(Self)).flatten()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

number_id! {
    /// One accepted signal: its place in the inbox, from 1, rising.
    SignalId, "sig-"
}
number_id! {
    /// One leg of a signal in one account: the parent order (母单). Signal and leg, packed, so that planning the same
    /// signal again gives the same ids.
    ParentId, "par-"
}
number_id! {
    /// One attempt at the market: the child order (子单). Parent and attempt, packed.
    OrderId, "ord-"
}

impl SignalId {
    /// The accounts that one signal can reach. A route to more is refused when it is configured.
    pub const LEGS_MAX: usize = 1 << 16;

    #[must_use]
    pub const fn parent(self, leg: u16) -> ParentId {
        ParentId(self.0 << 16 | leg as u64)
    }
}

impl ParentId {
    #[must_use]
    pub const fn signal(self) -> SignalId {
        SignalId(self.0 >> 16)
    }

    #[must_use]
    pub const fn leg(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The child order of the given attempt, counted from 1.
    #[must_use]
    pub const fn order(self, attempt: u8) -> OrderId {
        OrderId(self.0 << 8 | attempt as u64)
    }
}

impl OrderId {
    #[must_use]
    pub const fn parent(self) -> ParentId {
        ParentId(self.0 >> 8)
    }

    #[must_use]
    pub const fn signal(self) -> SignalId {
        self.parent().signal()
    }

    /// Which try of its parent this order is, from 1.
    #[must_use]
    pub const fn attempt(self) -> u8 {
        (self.0 & 0xff) as u8
    }

    /// The id that the broker sees (FIX ClOrdID 11, 本地委托号): two characters that tell this installation, the order
    /// number in Crockford's base 32 (13 characters) and a check character. 16 ASCII characters fit every broker's
    /// field; the narrowest known takes 24 (QMT `order_remark`).
    #[must_use]
    pub fn client_order_id(self, installation: InstallationTag) -> ClientOrderId {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut text = [0_u8; ClientOrderId::LEN];
        text[..2].copy_from_slice(&installation.0);
        let mut rest = self.0;
        for slot in text[2..15].iter_mut().rev() {
            *slot = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        // 31 is prime, so a single wrong character and a swap of neighbours both change the check.
        let check = text[..15].iter().enumerate().fold(0_u64, |sum, (i, b)| sum + (i as u64 + 1) * u64::from(*b)) % 31;
        text[15] = ALPHABET[check as usize];
        ClientOrderId(text)
    }
}

/// Two characters that tell installations apart which trade the same broker account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InstallationTag([u8; 2]);

impl InstallationTag {
    /// `None` unless the text is two characters of `A-Z 0-9`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [a, b] if [a, b].iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) => Some(Self([*a, *b])),
            _ => None,
        }
    }
}

/// See [`OrderId::client_order_id`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId([u8; Self::LEN]);

impl ClientOrderId {
    pub const LEN: usize = 16;

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number that the broker gave an order (FIX OrderID 37, 合同编号). Missing until the broker answered.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrokerOrderId(pub Arc<str>);

impl fmt::Debug for BrokerOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BrokerOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of one fill (FIX ExecID 17, 成交编号). With its order the key against double booking.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecId(pub Arc<str>);

impl fmt::Debug for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_tells_its_parent_its_signal_and_its_attempt() {
        let order = SignalId::new(1_000_000_000).parent(65_535).order(3);
        assert_eq!(order.attempt(), 3);
        assert_eq!(order.parent().leg(), 65_535);
        assert_eq!(order.signal(), SignalId::new(1_000_000_000));
    }

    #[test]
    fn printed_ids_read_back_and_nothing_else_does() {
        let id = SignalId::new(42);
        assert_eq!(SignalId::parse(&id.to_string()), Some(id));
        for text in ["sig-", "sig-042", "sig--1", "ord-42", "42", "sig-42 ", "sig-99999999999999999999999"] {
            assert_eq!(SignalId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_client_order_id_is_the_same_at_every_resend_and_differs_between_orders() {
        let tag = InstallationTag::parse("S7").expect("two characters");
        let id = SignalId::new(77).parent(1).order(1);
        assert_eq!(id.client_order_id(tag), id.client_order_id(tag));
        assert_eq!(id.client_order_id(tag).as_str().len(), ClientOrderId::LEN);
        assert_ne!(id.client_order_id(tag), SignalId::new(77).parent(1).order(2).client_order_id(tag));
    }

    #[test]
    fn names_are_plain() {
        assert!(AccountId::parse("paper-a").is_ok());
        for text in ["", "-a", "a b", "a/b", "名", &"x".repeat(65)] {
            assert_eq!(AccountId::parse(text), Err(NameError), "{text:?}");
        }
    }
}
