//! The key of a node, and its file.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::tlog::{KeyName, VerifierKey, VerifierKeyError};
use crate::{KeyError, PemError, Purpose, SecretKey, TrustedKey};

/// The key that a node signs with, and the node's name.
#[derive(Debug)]
pub struct NodeKey {
    /// The node's name, which is its log's name too.
    pub name: KeyName,
    /// The key.
    pub secret: SecretKey,
}

impl NodeKey {
    /// A new key. Without a name the node is called after it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn generate(name: Option<KeyName>) -> Result<Self, KeyError> {
        let secret = SecretKey::generate()?;
        let name = name.or_else(|| {
            format!("sre.local/{:.16}", secret.public().id().to_string())
                .parse()
                .ok()
        });
        Ok(Self {
            name: name.ok_or(KeyError::Point)?,
            secret,
        })
    }

    /// The name and public key in one line, to be given to those who are to trust this node.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey::log(self.name.clone(), self.secret.public())
    }

    /// How this node trusts itself: for receipts, its log and verdicts, until the key is replaced.
    /// From the beginning, because a receipt has the date of its order's end, and that may lie
    /// before its key was made.
    #[must_use]
    pub fn trusted(&self) -> TrustedKey {
        TrustedKey {
            name: self.name.clone(),
            public_key: self.secret.public(),
            purposes: BTreeSet::from([Purpose::Receipt, Purpose::Log, Purpose::Verdict]),
            not_before: None,
            not_after: None,
        }
    }

    pub(crate) fn to_file(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "{}\n{}",
            self.verifier_key(),
            *self.secret.to_pem()
        ))
    }

    pub(crate) fn from_file(text: &str) -> Result<Self, String> {
        let (line, pem) = text
            .split_once('\n')
            .ok_or("it is not a key file of this program")?;
        let public: VerifierKey = line
            .parse()
            .map_err(|error: VerifierKeyError| error.to_string())?;
        let secret = SecretKey::from_pem(pem).map_err(|error: PemError| error.to_string())?;
        if public == VerifierKey::log(public.name.clone(), secret.public()) {
            Ok(Self {
                name: public.name,
                secret,
            })
        } else {
            Err(String::from("its first line belongs to another key"))
        }
    }
}
