//! Addresses of services, logs and witnesses.

use std::fmt;

use url::Url;

/// Whether a text is meant as an HTTP address rather than as a path.
#[must_use]
pub fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// An HTTP address that requests are made below; its path ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL with a host.
    #[error("{text:?}: must be an http or https URL with a host: {reason}")]
    Malformed {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A user name or a password is in it. The text is not repeated: it would carry the secret.
    #[error("an address must not contain credentials: they would end up in logs and in challenges")]
    Credentials,
    /// A query or a fragment is in it.
    #[error("{0}: an address must not have a query or a fragment")]
    Query(String),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = |reason: &dyn fmt::Display| AddressError::Malformed {
            text: text.to_owned(),
            reason: reason.to_string(),
        };
        if !is_url(text) {
            return Err(malformed(&"it begins with neither http:// nor https://"));
        }
        let mut url: Url = text.parse().map_err(|error| malformed(&error))?;
        if has_credentials(&url) {
            return Err(AddressError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Query(text.to_owned()));
        }
        // Without the slash, joining a relative path would replace the last segment.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The address with its closing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address as people write it.
    #[must_use]
    pub fn without_slash(&self) -> &str {
        self.as_str().trim_end_matches('/')
    }

    /// The URL of a path below the address. `path` has no leading slash.
    pub(crate) fn below(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_and_the_slash_is_added_once() {
        for text in ["http://h:1/base", "http://h:1/base/"] {
            let address = Address::parse(text).expect("an address");
            assert_eq!(address.without_slash(), "http://h:1/base");
            let url = address.below("v1/orders", &[("status", String::from("a b"))]);
            assert_eq!(url.as_str(), "http://h:1/base/v1/orders?status=a+b");
        }
    }

    #[test]
    fn what_is_not_a_plain_address_is_refused_without_repeating_secrets() {
        let refused = Address::parse("https://user:hush@h/").expect_err("credentials");
        assert!(!refused.to_string().contains("hush"));
        for text in ["h:1", "ftp://h", "http://", "http://h/?q=1", "http://h/#f"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
