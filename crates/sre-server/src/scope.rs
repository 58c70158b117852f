//! What callers may do.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Submit orders and upload skills; read and cancel the orders it submitted.
    Submit,
    /// Read all orders, events, skills, blobs and metrics, and have claims verified.
    Read,
    /// Everything: also cancel and redeliver for others.
    Admin,
}

/// Several scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(pub(crate) Vec<Scope>);

impl Scopes {
    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![Scope::Submit, Scope::Read, Scope::Admin])
    }

    /// These scopes.
    #[must_use]
    pub fn new(scopes: &[Scope]) -> Self {
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// Whether what needs `scope` may be done. `admin` may do everything.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "submit" => Ok(Self::Submit),
            "read" => Ok(Self::Read),
            "admin" => Ok(Self::Admin),
            _ => Err(format!("a scope is submit, read or admin, found {text:?}")),
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Admin => "admin",
        })
    }
}
