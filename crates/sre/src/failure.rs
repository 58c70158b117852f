//! Why a command has nothing to print.

use sre_core::{ErrorCode, OrderIdError};
use sre_journal::{JournalError, JournalErrorKind};
use sre_log::{LogError, NotaryError};
use sre_orchestrator::{
    AcceptError, AcceptErrorKind, CallbackError, ConfigError, EmbeddedError, ExecuteError,
    RegistrarError,
};
use sre_receipt::KeyFolderError;
use sre_server::TokenError;
use sre_skill::{SkillError, SkillErrorKind};

use crate::exit::Exit;

/// A command that failed. Not for orders that ran and failed: those have a result.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// Stable code.
    pub code: ErrorCode,
    /// What is wrong; a fragment that reads well after "error:".
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure that ends the process as its code says.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            exit: code.class().into(),
            code,
            detail: detail.into(),
            hint: None,
        }
    }

    /// The same, but the process ends like this.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// With a hint, unless there is one already.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }
}

impl From<SkillError> for Failure {
    fn from(error: SkillError) -> Self {
        let failure = Self::new(error.kind().code(), error.to_string());
        if error.kind() == SkillErrorKind::Unreadable {
            failure.hint("a skill is a folder with a SKILL.md, a .tar.gz, a .zip, or a file with the JSON form")
        } else {
            failure
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Skill(error) => error.into(),
            other => Self::new(ErrorCode::OrderInvalid, other.to_string()),
        }
    }
}

impl From<OrderIdError> for Failure {
    fn from(error: OrderIdError) -> Self {
        Self::new(ErrorCode::OrderInvalid, error.to_string())
    }
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match (error.kind(), error) {
            (AcceptErrorKind::Operating, _) => Self::new(code, detail),
            (_, AcceptError::Skill(error)) => error.into(),
            (_, AcceptError::InputSchema(_)) => {
                Self::new(code, detail).hint("`sre skill inspect SKILL` shows the schema")
            }
            (_, AcceptError::Field { field, .. }) => {
                let failure = Self::new(code, detail);
                match flag(field) {
                    Some(flag) => failure.hint(format!("this is the flag {flag}")),
                    None => failure,
                }
            }
            _ => Self::new(code, detail),
        }
    }
}

/// The flag that sets a field of the order.
fn flag(field: &str) -> Option<String> {
    let flag = match field.strip_prefix("sandbox_config.") {
        Some("timeout_seconds") => String::from("--sandbox-timeout-seconds"),
        Some(name) => format!("--{}", name.replace('_', "-")),
        None if field.contains('.') || field == "input_data" => return None,
        None => format!("--{}", field.replace('_', "-")),
    };
    Some(flag)
}

impl From<ExecuteError> for Failure {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Conflict(_) => Self::new(ErrorCode::OrderConflict, error.to_string())
                .hint("nothing ran; leave out --order-id for a new order, or repeat the known one exactly as it was"),
            ExecuteError::Forgotten(_) => Self::new(ErrorCode::OrderForgotten, error.to_string())
                .hint("nothing ran; leave out --order-id for a new order"),
            ExecuteError::Journal(error) => error.into(),
            ExecuteError::Store(error) => Self::new(ErrorCode::StoreFailed, error.to_string()),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let code = if error.kind() == JournalErrorKind::Damaged {
            ErrorCode::JournalDamaged
        } else {
            ErrorCode::JournalFailed
        };
        Self::new(code, error.to_string())
    }
}

impl From<EmbeddedError> for Failure {
    fn from(error: EmbeddedError) -> Self {
        match error {
            EmbeddedError::Accept(error) => error.into(),
            EmbeddedError::Execute(error) => error.into(),
            EmbeddedError::Journal(error) => error.into(),
            EmbeddedError::Sandbox(error) => {
                Self::new(ErrorCode::SandboxUnavailable, error.to_string())
            }
            EmbeddedError::Store(error) => Self::new(ErrorCode::StoreFailed, error.to_string()),
            EmbeddedError::Folder { .. }
            | EmbeddedError::Unknown { .. }
            | EmbeddedError::NoHome => Self::new(ErrorCode::DataFolderUnusable, error.to_string()),
            EmbeddedError::NoJournal(_) => Self::new(ErrorCode::JournalMissing, error.to_string()),
            EmbeddedError::Registrar(error) => error.into(),
            EmbeddedError::Keys(error) => {
                Self::new(ErrorCode::CallbackUnavailable, error.to_string())
            }
            EmbeddedError::Callback(error) => {
                Self::new(ErrorCode::CallbackUnavailable, error.to_string())
            }
        }
    }
}

impl From<CallbackError> for Failure {
    fn from(error: CallbackError) -> Self {
        EmbeddedError::Callback(error).into()
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let detail = error.to_string();
        match error {
            TokenError::NameTaken(_) | TokenError::NameUnknown(_) | TokenError::BadName(_) => {
                Self::new(ErrorCode::TokenName, detail)
            }
            _ => Self::new(ErrorCode::TokensUnusable, detail),
        }
    }
}

impl From<KeyFolderError> for Failure {
    fn from(error: KeyFolderError) -> Self {
        let code = match error {
            KeyFolderError::Exists(_) => ErrorCode::KeyExists,
            KeyFolderError::Missing(_) => ErrorCode::KeyMissing,
            KeyFolderError::Trust { .. } => ErrorCode::TrustMalformed,
            _ => return Self::new(ErrorCode::KeyUnusable, error.to_string()),
        };
        Self::new(code, error.to_string())
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let code = if matches!(error, LogError::Damaged(_)) {
            ErrorCode::LogDamaged
        } else {
            ErrorCode::LogFailed
        };
        Self::new(code, error.to_string())
    }
}

impl From<RegistrarError> for Failure {
    fn from(error: RegistrarError) -> Self {
        match error {
            RegistrarError::Keys(error) => error.into(),
            RegistrarError::Log(error) => error.into(),
            RegistrarError::Notary(error) => error.into(),
            RegistrarError::Journal(error) => error.into(),
            RegistrarError::Unproven(_) => Self::new(ErrorCode::LogFailed, error.to_string()),
            RegistrarError::LogBehind { .. } => Self::new(ErrorCode::LogBehind, error.to_string()),
            RegistrarError::LogUnknown { .. } => {
                Self::new(ErrorCode::JournalBehind, error.to_string())
            }
        }
    }
}

impl From<NotaryError> for Failure {
    fn from(error: NotaryError) -> Self {
        match error {
            NotaryError::Log(error) => error.into(),
            NotaryError::Store(error) => Self::new(ErrorCode::StoreFailed, error.to_string()),
            other => Self::new(ErrorCode::ReceiptFailed, other.to_string()),
        }
    }
}
