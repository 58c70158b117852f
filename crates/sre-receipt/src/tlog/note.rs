//! Signed notes (C2SP `signed-note`): text, an empty line, and lines of signatures.
//!
//! Signatures by unknown keys are ignored, as the specification demands; a signature that says it
//! is by a known key and does not hold refuses the whole note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::verifier_key::{KeyName, NoteKind, VerifierKey};
use crate::{BadSignature, SecretKey, Signature};

/// Longest note, in bytes.
pub const NOTE_LIMIT_BYTES: usize = 64 << 10;
/// Most signatures of one note. The specification demands at least 16.
pub const SIGNATURE_LIMIT: usize = 64;

/// A text and its signatures, none of them verified yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A line of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Whose key.
    pub name: KeyName,
    /// Which of his keys.
    pub id: u32,
    /// What the key's kind prescribes.
    pub bytes: Vec<u8>,
}

/// Why bytes are no note, or a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_LIMIT_BYTES`].
    #[error("the note has {0} bytes, the limit is {NOTE_LIMIT_BYTES}")]
    TooLong(usize),
    /// Not text, or text with control characters.
    #[error("the note is not UTF-8 text without control characters")]
    Text,
    /// No empty line before the signatures, or nothing after it.
    #[error("the note has no signatures")]
    Unsigned,
    /// A line that should be a signature is not one.
    #[error("line {0} of the note's signatures is malformed")]
    Signature(usize),
    /// More than [`SIGNATURE_LIMIT`] signatures.
    #[error("the note has more than {SIGNATURE_LIMIT} signatures")]
    TooManySignatures,
    /// A signature by a known key does not hold.
    #[error("the signature of {0} does not hold")]
    Bad(KeyName),
    /// None of the known keys has signed.
    #[error("the note is signed by none of the trusted keys")]
    NoTrustedSignature,
}

impl Note {
    /// A note with this text, which ends with a line end and has no control characters, and no
    /// signature yet.
    ///
    /// # Errors
    /// [`NoteError::Text`].
    pub fn new(text: String) -> Result<Self, NoteError> {
        if text.ends_with('\n') && is_plain(&text) {
            Ok(Self {
                text,
                signatures: Vec::new(),
            })
        } else {
            Err(NoteError::Text)
        }
    }

    /// Reads a note. Nothing is verified.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_LIMIT_BYTES {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let all = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| is_plain(text))
            .ok_or(NoteError::Text)?;
        let at = all.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, lines) = (&all[..=at], &all[at + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Unsigned)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == SIGNATURE_LIMIT {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::Signature(number + 1))?);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The signed text, with its last line end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, by any key.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Signs as the log `name`.
    pub fn sign(&mut self, name: KeyName, key: &SecretKey) {
        let id = VerifierKey::log(name.clone(), key.public()).id();
        let bytes = key.sign(self.text.as_bytes()).as_bytes().to_vec();
        self.signatures.push(NoteSignature { name, id, bytes });
    }

    /// Signs as the witness `name`, at `time_seconds` since 1970 (C2SP `tlog-cosignature`, version
    /// 1).
    pub fn cosign(&mut self, name: KeyName, key: &SecretKey, time_seconds: u64) {
        let id = VerifierKey::witness(name.clone(), key.public()).id();
        let signature = key.sign(cosigned(&self.text, time_seconds).as_bytes());
        let bytes = [&time_seconds.to_be_bytes()[..], signature.as_bytes()].concat();
        self.signatures.push(NoteSignature { name, id, bytes });
    }

    /// Adds the signatures of another copy of the same note, unless they are there or there are too
    /// many.
    pub fn merge(&mut self, signatures: &[NoteSignature]) {
        for signature in signatures {
            if self.signatures.len() < SIGNATURE_LIMIT && !self.signatures.contains(signature) {
                self.signatures.push(signature.clone());
            }
        }
    }

    /// Whether `key` signed. For a witness the answer has the time it saw the note, in seconds
    /// since 1970.
    ///
    /// # Errors
    /// [`NoteError::Bad`] when a signature says it is by this key and does not hold.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let id = key.id();
        let mut found = None;
        for line in self
            .signatures
            .iter()
            .filter(|line| line.name == key.name && line.id == id)
        {
            let time = self
                .verify_line(key, line)
                .map_err(|_| NoteError::Bad(key.name.clone()))?;
            // Of several cosignatures by one witness the oldest proves the most.
            found = Some(found.map_or(time, |other: u64| other.min(time)));
        }
        Ok(found)
    }

    fn verify_line(&self, key: &VerifierKey, line: &NoteSignature) -> Result<u64, BadSignature> {
        let signature = |bytes: &[u8]| {
            bytes
                .try_into()
                .map(Signature::from_bytes)
                .map_err(|_| BadSignature)
        };
        match key.kind {
            NoteKind::Ed25519 => {
                key.key
                    .verify(self.text.as_bytes(), &signature(&line.bytes)?)?;
                Ok(0)
            }
            NoteKind::Cosignature => {
                let (time, rest) = line.bytes.split_first_chunk::<8>().ok_or(BadSignature)?;
                let time = u64::from_be_bytes(*time);
                if time > i64::MAX as u64 {
                    return Err(BadSignature);
                }
                key.key
                    .verify(cosigned(&self.text, time).as_bytes(), &signature(rest)?)?;
                Ok(time)
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Note({:?}, {} signatures)",
            self.text,
            self.signatures.len()
        )
    }
}

impl NoteSignature {
    /// Reads a line without its line end.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        if rest.is_empty() {
            return None;
        }
        Some(Self {
            name: name.parse().ok()?,
            id: u32::from_be_bytes(*id),
            bytes: rest.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = STANDARD.encode([&self.id.to_be_bytes()[..], &self.bytes].concat());
        write!(f, "— {} {encoded}", self.name)
    }
}

fn cosigned(text: &str, time_seconds: u64) -> String {
    format!("cosignature/v1\ntime {time_seconds}\n{text}")
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20 || byte == b'\n')
}
