//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): which trace of the submitter's an
//! order belongs to.

use std::fmt;
use std::str::FromStr;

/// The `traceparent` of a submitter: version 00, 55 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: String,
    parent_id: String,
    flags: u8,
}

/// A text that is no `traceparent`. By the specification it is ignored, not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of W3C Trace Context")]
pub struct TraceParentError;

impl TraceParent {
    /// A trace of its own.
    pub(crate) fn new(trace: u128, span: u64) -> Self {
        // All zeros means "none".
        Self {
            trace_id: format!("{:032x}", trace.max(1)),
            parent_id: format!("{:016x}", span.max(1)),
            flags: 1,
        }
    }

    /// Whether its spans are recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The same, recorded or not.
    pub(crate) fn sampled(self, sampled: bool) -> Self {
        Self {
            flags: u8::from(sampled),
            ..self
        }
    }

    /// The trace, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The submitter's span, 16 hexadecimal digits.
    #[must_use]
    pub fn parent_id(&self) -> &str {
        &self.parent_id
    }

    /// The same trace with another parent span.
    #[must_use]
    pub fn child(&self, span: u64) -> Self {
        // All zeros means "none".
        Self {
            parent_id: format!("{:016x}", span.max(1)),
            ..self.clone()
        }
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let part = parts.next().ok_or(TraceParentError)?;
            let is_hex = part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if part.len() == length && is_hex {
                Ok(part.to_owned())
            } else {
                Err(TraceParentError)
            }
        };
        let (version, trace_id, parent_id, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let is_none = |id: &str| id.bytes().all(|b| b == b'0');
        // A later version may have more parts; version 00 may not.
        let is_whole = parts.next().is_none() || version != "00";
        if version == "ff" || !is_whole || is_none(&trace_id) || is_none(&parent_id) {
            return Err(TraceParentError);
        }
        Ok(Self {
            trace_id,
            parent_id,
            flags: u8::from_str_radix(&flags, 16).map_err(|_| TraceParentError)?,
        })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{}-{}-{:02x}",
            self.trace_id, self.parent_id, self.flags
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_are_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent: TraceParent = text.parse().expect("a traceparent");
        assert_eq!(parent.to_string(), text);
        assert_eq!(
            parent.child(7).to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01"
        );
        assert!(
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"
                .parse::<TraceParent>()
                .is_ok()
        );
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }
}
