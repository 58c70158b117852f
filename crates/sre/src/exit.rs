//! Exit codes. They are an interface: scripts branch on them.

use std::process::ExitCode;

use sre_core::{ErrorClass, OrderResult, OrderStatus, Verdict};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command did what was asked; for an order: it completed.
    Success,
    /// A command completed with this exit code, which the order accepts.
    Program(u8),
    /// The host failed: disk, journal, sandbox.
    Operating,
    /// Bad usage or bad input; nothing ran.
    Usage,
    /// The skill failed.
    SkillFailed,
    /// A time limit was reached.
    Timeout,
    /// The verification did not confirm the result.
    Unverified,
    /// The verdict of `sre verify`.
    Verdict(Verdict),
    /// Ctrl-C.
    Interrupted,
}

/// The table of the help text of `sre run`.
pub const RUN_CODES: &str = "\
Exit codes:
  0    completed: the skill returned a value and the replay confirmed it. A command that completed
       with another accepted exit code: that code
  1    an operating failure: disk, journal or sandbox; run the order again. Or --receipt could not be written
  2    bad usage or bad input; nothing ran and nothing was written
  10   the skill failed
  11   a time limit was reached
  12   the verification did not confirm the result
  130  interrupted with Ctrl-C; the order is still open";

/// The table of the help text of `sre verify`.
pub const VERIFY_CODES: &str = "\
Exit codes:
  0    matched: every digest was recomputed and the replay gave the same outcome
  1    an operating failure: the journal or the sandbox could not be used
  2    bad usage, or no such order or file
  20   hash_only: the digests hold; the skill declares itself not repeatable, so it was not replayed
  21   diverged: the replay gave another outcome
  22   tampered: a digest, a signature or a proof does not hold, or the file is damaged
  23   unavailable: bytes that the check needs cannot be had
  24   unanchored: all holds, but the signing key is not trusted here
  25   unverifiable: the replay could not be carried out, or the order has committed nothing that could be checked";

/// The table of the help text of `sre` and of the remaining commands.
pub const CODES: &str = "\
Exit codes:
  0    done
  1    an operating failure
  2    bad usage or bad input
  10, 11, 12 and 130 belong to `sre run`, 20 to 25 to `sre verify`; see their --help.";

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Program(code) => code,
            Self::Operating => ErrorClass::Operating.exit_code(),
            Self::Usage => ErrorClass::Input.exit_code(),
            Self::SkillFailed => ErrorClass::Skill.exit_code(),
            Self::Timeout => ErrorClass::Timeout.exit_code(),
            Self::Unverified => ErrorClass::Unverified.exit_code(),
            Self::Verdict(verdict) => verdict.exit_code(),
            Self::Interrupted => ErrorClass::Interrupted.exit_code(),
        }
    }

    /// How `sre run` ends with this result.
    #[must_use]
    pub fn of(result: &OrderResult) -> Self {
        match result.status {
            OrderStatus::Completed => Self::Success,
            OrderStatus::Timeout => Self::Timeout,
            OrderStatus::Failed
                if result
                    .verification
                    .as_ref()
                    .is_some_and(|found| !found.is_valid) =>
            {
                Self::Unverified
            }
            OrderStatus::Failed if result.commit_result.is_some() => Self::SkillFailed,
            // Nothing was committed: it was not the skill's doing.
            OrderStatus::Failed => Self::Operating,
        }
    }
}

impl From<ErrorClass> for Exit {
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Input => Self::Usage,
            ErrorClass::Skill => Self::SkillFailed,
            ErrorClass::Timeout => Self::Timeout,
            ErrorClass::Unverified => Self::Unverified,
            ErrorClass::Operating | ErrorClass::Bug => Self::Operating,
            ErrorClass::Judged(verdict) => Self::Verdict(verdict),
            ErrorClass::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
