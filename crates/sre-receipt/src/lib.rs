//! Receipts that a stranger can check: who vouches for a result, and that he vouches for the same
//! to everybody.
//!
//! A [`Receipt`] is an in-toto statement about one order in a signed DSSE [`Envelope`]. [`tlog`]
//! has the formats of the transparency log that lists every receipt; a [`Bundle`] holds a receipt,
//! its proof and all bytes it names in one file. [`Examiner`] checks all of it against a [`Trust`]
//! file and says what holds; the replay is `sre-verify`'s.
//!
//! | room | holds |
//! |---|---|
//! | `key`, `pem`, `node_key`, `key_folder` | Ed25519 keys, their files, the node's own key and its rotation |
//! | `trust` | which keys are believed, for what, from when to when |
//! | `dsse`, `statement`, `receipt`, `verdict` | what is signed, and how |
//! | `tlog` | Merkle tree, signed note, checkpoint, proof, tile names (C2SP) |
//! | `ustar`, `bundle` | the one file that verifies offline |
//! | `examine` | one receipt, checked |
//!
//! Every decoder here takes hostile bytes, accepts exactly one spelling of a value, and has a
//! limit. Nothing here runs a skill, opens a database or talks to a network.

mod bundle;
mod dsse;
mod examine;
mod key;
mod key_folder;
mod node_key;
mod pem;
mod receipt;
mod statement;
pub mod tlog;
mod trust;
mod ustar;
mod verdict;

pub use bundle::{BUNDLE_LIMIT_BYTES, BUNDLE_LIMIT_FILES, Bundle, BundleError};
pub use dsse::{ENVELOPE_LIMIT_BYTES, Envelope, EnvelopeError, PAYLOAD_TYPE};
pub use examine::{Examination, Examiner, Policy};
pub use key::{BadSignature, KeyError, KeyId, PublicKey, SecretKey, Signature};
pub use key_folder::{KeyFolder, KeyFolderError};
pub use node_key::NodeKey;
pub use pem::PemError;
pub use receipt::{
    Host, Isolation, IssueContext, PREDICATE_TYPE, Predicate, Provable, Receipt, ReceiptError,
    Reported, Signer,
};
pub use statement::{STATEMENT_TYPE, Statement, StatementError, Subject};
pub use trust::{Purpose, TRUST_LIMIT_BYTES, Trust, TrustError, TrustedKey};
pub use verdict::{VERDICT_PREDICATE_TYPE, VerdictPredicate, VerdictStatement};
