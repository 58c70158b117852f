//! Who calls, and what callers may do.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sre_core::ErrorCode;

use crate::error::ServiceError;

/// The name of the one caller where there are no tokens.
pub const LOCAL: &str = "local";

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Submit orders, upload skills and blobs; read and cancel the orders it submitted, with what
    /// they left.
    Submit,
    /// Read all orders, events, skills, blobs and metrics, and have claims verified.
    Read,
    /// Everything: also cancel and redeliver for others.
    Admin,
}

/// Several scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

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

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    name: String,
    scopes: Scopes,
}

impl Caller {
    /// The caller with this name, which may do this.
    pub fn new(name: impl Into<String>, scopes: Scopes) -> Self {
        Self {
            name: name.into(),
            scopes,
        }
    }

    /// The one caller where there are no tokens, which may do everything.
    #[must_use]
    pub fn local() -> Self {
        Self::new(LOCAL, Scopes::all())
    }

    /// Its name, under which its orders are submitted.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may do what needs this scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.allow(scope)
    }

    /// Whether it may know of an order that `submitter` submitted.
    #[must_use]
    pub fn sees(&self, submitter: &str) -> bool {
        self.name == submitter || self.may(Scope::Read)
    }

    /// Refuses a caller that has none of these scopes.
    ///
    /// # Errors
    /// `scope_missing`.
    pub fn require(&self, scopes: &[Scope]) -> Result<(), ServiceError> {
        if scopes.iter().any(|scope| self.may(*scope)) {
            return Ok(());
        }
        let needed: Vec<String> = scopes.iter().map(Scope::to_string).collect();
        let detail = format!(
            "the token {} lacks the scope {}",
            self.name,
            needed.join(" or ")
        );
        Err(ServiceError::new(ErrorCode::ScopeMissing, detail))
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
