//! The identity of an order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Digest, Seed};

/// Identity and idempotency key of an order: 1 to 128 of `[A-Za-z0-9._:-]`, starting with a letter
/// or digit.
///
/// The alphabet is safe in a URL path, a log line and a terminal; a leading dot or dash is refused
/// so that the id is safe as a file name and as a command-line argument too.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(String);

/// A text that is no order id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an order id is 1 to 128 of A-Z a-z 0-9 . _ : - and starts with a letter or digit, found {shown:?}",
    shown = .0.chars().take(140).collect::<String>()
)]
pub struct OrderIdError(String);

impl OrderId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The default random seed of this order: the SHA-256 of the id.
    #[must_use]
    pub fn default_seed(&self) -> Seed {
        Seed::from_bytes(*Digest::of(self.0.as_bytes()).as_bytes())
    }
}

impl TryFrom<String> for OrderId {
    type Error = OrderIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let first_ok = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        let all_ok = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
        if first_ok && all_ok && text.len() <= 128 {
            Ok(Self(text))
        } else {
            Err(OrderIdError(text))
        }
    }
}

impl FromStr for OrderId {
    type Err = OrderIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<OrderId> for String {
    fn from(id: OrderId) -> Self {
        id.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrderId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_and_the_length_are_enforced() {
        for good in ["a", "0", "A.b_c:d-9", &"x".repeat(128)] {
            assert!(good.parse::<OrderId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".a",
            "-a",
            "_a",
            "a/b",
            "a b",
            "a\n",
            "ä",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
    }
}
