//! One receipt, checked: form, statement, signature, place in the log, witnesses, trust.
//!
//! What does not hold is `tampered` and ends the examination. What holds but is vouched for by
//! a key that is not trusted here is `unanchored`, and the rest is still checked. Neither is ever
//! `matched`: that word needs a replay, which is `sre-verify`'s.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use lru::LruCache;
use sre_core::{
    BlobDigest, Check, CheckStatus, CommitResult, Digest, Method, Verdict, VerifyResult,
};

use crate::tlog::{Checkpoint, CheckpointError, Entry, Note, NoteError, TlogProof};
use crate::{BundleError, Envelope, Purpose, Receipt, Trust};

/// Checkpoints whose signatures are remembered: the receipts of one second share one.
const CHECKPOINTS_LIMIT: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// What is demanded besides what always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// A receipt without a proof of its place in a trusted log is `unanchored`. Default: it may be
    /// pending.
    pub require_proof: bool,
    /// Trusted witnesses that must have cosigned the checkpoint. Default 0; more than that requires
    /// a proof.
    pub witnesses_required: usize,
}

/// Checks receipts against one trust file. May be shared between threads.
#[derive(Debug)]
pub struct Examiner {
    trust: Trust,
    policy: Policy,
    checkpoints: Mutex<LruCache<Digest, Result<Witnessed, Flaw>>>,
}

/// What an examination found.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// The receipt, if it could be read.
    pub receipt: Option<Receipt>,
    /// What is wrong; `None` when everything holds and is trusted.
    pub flaw: Option<Flaw>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What follows from it: `tampered`, `unverifiable` or `unanchored`.
    pub verdict: Verdict,
    /// What it is.
    pub message: String,
}

/// A checkpoint that a trusted log signed.
#[derive(Debug, Clone, Copy)]
struct Witnessed {
    /// Until when the log's key is trusted; `None` without end. What ended later cannot be in a log
    /// under this key.
    log_until: Option<Timestamp>,
    /// Trusted witnesses that cosigned it while the log's key was trusted.
    witnesses: usize,
}

fn flaw(verdict: Verdict, message: impl ToString) -> Flaw {
    Flaw {
        verdict,
        message: message.to_string(),
    }
}

fn tampered(message: impl ToString) -> Flaw {
    flaw(Verdict::Tampered, message)
}

fn unanchored(message: impl ToString) -> Flaw {
    flaw(Verdict::Unanchored, message)
}

impl Examiner {
    /// An examiner that believes the keys in `trust`.
    #[must_use]
    pub fn new(trust: Trust, policy: Policy) -> Self {
        Self {
            trust,
            policy,
            checkpoints: Mutex::new(LruCache::new(CHECKPOINTS_LIMIT)),
        }
    }

    /// Checks a receipt, and its proof where there is one.
    #[must_use]
    pub fn examine(&self, receipt: &[u8], proof: Option<&[u8]>) -> Examination {
        let mut examination = Examination::default();
        if let Err(flaw) = self.examine_into(receipt, proof, &mut examination) {
            examination.flaw = Some(flaw);
        }
        examination
    }

    /// Ends early with what makes going on pointless; `unanchored` is noted and passed over.
    fn examine_into(
        &self,
        bytes: &[u8],
        proof: Option<&[u8]>,
        found: &mut Examination,
    ) -> Result<(), Flaw> {
        let envelope = found.check("receipt", Envelope::parse(bytes).map_err(tampered))?;
        let digest = sre_core::ReceiptDigest::of(bytes);
        let known = self
            .trust
            .keys()
            .iter()
            .find(|key| key.public_key.id() == envelope.key());
        let is_forged = known.is_some_and(|key| envelope.verify(&key.public_key).is_err());
        let read = Receipt::read(envelope).map_err(|error| {
            // Who alters a version number turns a forgery into an unknown version, unless the key
            // is known.
            let is_unknown = error.is_unknown_version() && !is_forged;
            flaw(
                if is_unknown {
                    Verdict::Unverifiable
                } else {
                    Verdict::Tampered
                },
                error,
            )
        });
        let receipt = found.check("statement", read)?;
        // Under a key that is trusted the signature was checked above.
        let signature = if known.is_some() && !is_forged {
            Ok(())
        } else {
            receipt.verify_signature()
        };
        found.check("signature", signature.map_err(tampered))?;
        let finished_at = receipt.predicate().reported.finished_at;
        let trusted = self
            .trust
            .find(receipt.envelope().key(), Purpose::Receipt, finished_at);
        found
            .check("key", trusted.map(drop).map_err(unanchored))
            .or_else(|flaw| found.pass_over(flaw))?;
        found.receipt = Some(receipt);
        match proof {
            Some(proof) => self.examine_proof(&Entry::receipt(digest), finished_at, proof, found),
            None => {
                let missing = String::from("there is no proof yet that the receipt is in a log");
                if self.policy.require_proof || self.policy.witnesses_required > 0 {
                    return found
                        .check("inclusion", Err(unanchored(missing)))
                        .or_else(|flaw| found.pass_over(flaw));
                }
                found.record("inclusion", CheckStatus::Skipped, Some(missing));
                Ok(())
            }
        }
    }

    fn examine_proof(
        &self,
        entry: &Entry,
        finished_at: Timestamp,
        proof: &[u8],
        found: &mut Examination,
    ) -> Result<(), Flaw> {
        let verified = TlogProof::parse(proof).and_then(|proof| {
            let checkpoint = proof.verify_inclusion(&entry.to_canonical())?;
            Ok((proof, checkpoint))
        });
        let (proof, checkpoint) = found.check("inclusion", verified.map_err(tampered))?;
        let witnessed = self
            .witnessed(&proof.checkpoint, &checkpoint)
            .and_then(|witnessed| match witnessed.log_until {
                Some(end) if end < finished_at => Err(unanchored(format_args!(
                    "the log's key is trusted until {end}, and this is of {finished_at}"
                ))),
                _ => Ok(witnessed),
            });
        let log = found.check("log", witnessed.clone().map(drop));
        log.or_else(|flaw| found.pass_over(flaw))?;
        let (required, witnesses) = (
            self.policy.witnesses_required,
            witnessed.map_or(0, |found| found.witnesses),
        );
        if required > 0 {
            let enough = if witnesses >= required {
                Ok(())
            } else {
                Err(unanchored(format_args!(
                    "{witnesses} trusted witnesses cosigned the checkpoint, not {required}"
                )))
            };
            found
                .check("witnesses", enough)
                .or_else(|flaw| found.pass_over(flaw))?;
        }
        Ok(())
    }

    /// Who vouches for a checkpoint. Remembered, because one checkpoint stands for many receipts.
    fn witnessed(&self, note: &Note, checkpoint: &Checkpoint) -> Result<Witnessed, Flaw> {
        let key = Digest::of(note.to_string().as_bytes());
        let lock = || {
            self.checkpoints
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let answer = self.verify_note(note, checkpoint);
        lock().put(key, answer.clone());
        answer
    }

    fn verify_note(&self, note: &Note, checkpoint: &Checkpoint) -> Result<Witnessed, Flaw> {
        let mut logs = self.trust.logs(&checkpoint.origin).peekable();
        if logs.peek().is_none() {
            return Err(unanchored(format_args!(
                "the log {} is not trusted here",
                checkpoint.origin
            )));
        }
        let mut ends = Vec::new();
        for key in logs {
            match Checkpoint::verify(note, &key.as_log()) {
                Ok(_) => ends.push(key.not_after),
                Err(CheckpointError::Note(NoteError::NoTrustedSignature)) => {}
                Err(error) => return Err(tampered(error)),
            }
        }
        if ends.is_empty() {
            let origin = &checkpoint.origin;
            return Err(unanchored(format_args!(
                "no trusted key signed this checkpoint of the log {origin}"
            )));
        }
        let log_until = if ends.contains(&None) {
            None
        } else {
            ends.into_iter().flatten().max()
        };
        let mut witnesses = BTreeSet::new();
        for key in self.trust.witnesses() {
            let seen = note.signed_by(&key.as_witness()).map_err(tampered)?;
            let at =
                seen.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
            // Who has an expired key of the log can sign what it likes with it, and have it
            // cosigned today.
            let in_time = |at: &Timestamp| log_until.is_none_or(|end| *at <= end);
            if at
                .filter(in_time)
                .is_some_and(|at| key.allows(Purpose::Witness, at).is_ok())
            {
                witnesses.insert(key.public_key.id());
            }
        }
        Ok(Witnessed {
            log_until,
            witnesses: witnesses.len(),
        })
    }
}

impl Examination {
    fn check<T>(&mut self, name: &str, result: Result<T, Flaw>) -> Result<T, Flaw> {
        match &result {
            Ok(_) => self.record(name, CheckStatus::Passed, None),
            Err(flaw) => self.record(name, CheckStatus::Failed, Some(flaw.message.clone())),
        }
        result
    }

    fn record(&mut self, name: &str, status: CheckStatus, detail: Option<String>) {
        self.checks.push(Check {
            name: name.to_owned(),
            status,
            detail,
        });
    }

    /// Goes on where nothing is wrong but trust. The first such flaw is the one that is told.
    fn pass_over(&mut self, flaw: Flaw) -> Result<(), Flaw> {
        if flaw.verdict != Verdict::Unanchored {
            return Err(flaw);
        }
        self.flaw.get_or_insert(flaw);
        Ok(())
    }

    /// Of a file that is no bundle any more: there is nothing else to examine.
    #[must_use]
    pub fn of_damaged(error: &BundleError) -> Self {
        let mut examination = Self::default();
        examination.flaw = examination
            .check::<()>("bundle", Err(tampered(error)))
            .err();
        examination
    }

    /// What a replay is held against; `None` when it could say no more: something does not hold, or
    /// nothing was committed. `uri` gives the address of a digest.
    #[must_use]
    pub fn claim(&self, uri: impl Fn(BlobDigest) -> String) -> Option<CommitResult> {
        let is_sound = self
            .flaw
            .as_ref()
            .is_none_or(|flaw| flaw.verdict == Verdict::Unanchored);
        self.receipt.as_ref().filter(|_| is_sound)?.claim(uri)
    }

    /// The examination alone, where nothing can be replayed: something does not hold, or nothing
    /// was committed.
    #[must_use]
    pub fn without_replay(mut self) -> VerifyResult {
        let provable = self
            .receipt
            .as_ref()
            .and_then(|receipt| receipt.predicate().provable.as_ref());
        let expected_hash = provable.map(|provable| match provable.result_hash {
            Some(hash) => hash.to_string(),
            None => provable.commitment.outcome.to_string(),
        });
        let flaw = self.flaw.take().unwrap_or_else(|| {
            flaw(
                Verdict::Unverifiable,
                "the order ended before anything was committed, so there is nothing to replay",
            )
        });
        VerifyResult {
            is_valid: false,
            verdict: flaw.verdict,
            method: Method::Hash,
            expected_hash: expected_hash.unwrap_or_default(),
            actual_hash: None,
            error: Some(flaw.message),
            checks: self.checks,
            divergence: None,
        }
    }

    /// The examination and the replay together. A replay that holds under a key that is not trusted
    /// is `unanchored`.
    #[must_use]
    pub fn conclude(self, mut replay: VerifyResult) -> VerifyResult {
        replay.checks = [self.checks, replay.checks].concat();
        if let Some(flaw) = self
            .flaw
            .filter(|flaw| flaw.verdict != Verdict::Unanchored || replay.is_valid)
        {
            replay.verdict = flaw.verdict;
            replay.is_valid = false;
            replay.error = Some(flaw.message);
        }
        replay
    }
}
