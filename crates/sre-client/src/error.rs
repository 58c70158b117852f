//! Why a request has no answer that can be used.

use serde::Deserialize;

/// How much of another program's words is repeated, in characters.
const DETAIL_LIMIT_CHARS: usize = 300;

/// Why a request has no answer that can be used. Reads well after "error:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The other side was not reached, broke off or was silent. Trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// The other side answered that it did not do this.
    #[error("{0}")]
    Refused(Problem),
    /// The other side answered something that its interface does not have, or more than may be.
    #[error("{0}")]
    Invalid(String),
}

impl ClientError {
    /// Whether the other side asks for another token, or for one at all.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(problem) if matches!(problem.status, 401 | 403))
    }

    /// Whether the other side does not have what was asked for, or no longer.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(problem) if matches!(problem.status, 404 | 410))
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused(problem) => matches!(problem.status, 429 | 503),
            Self::Invalid(_) => false,
        }
    }
}

/// A problem document (RFC 9457) as a service sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code; `None` where the answer is not a problem document. Later versions may have
    /// codes that this one does not know.
    pub code: Option<String>,
    /// What was wrong, in the service's words; empty where it said nothing.
    pub detail: String,
}

#[derive(Deserialize)]
struct Document {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    /// Reads the body of an answer that is not a success.
    #[must_use]
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Document>(body) {
            Ok(Document { code, detail }) => Self {
                status,
                code: Some(code.chars().take(DETAIL_LIMIT_CHARS).collect()),
                detail: detail.chars().take(DETAIL_LIMIT_CHARS).collect(),
            },
            Err(_) => Self {
                status,
                code: None,
                detail: String::new(),
            },
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the answer was {}", self.status)?;
        if !self.detail.is_empty() {
            write!(f, "; {}", self.detail)?;
        }
        Ok(())
    }
}
