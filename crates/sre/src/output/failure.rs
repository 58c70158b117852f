//! Why a command has nothing to print, for people and for programs.

use serde::Serialize;
use sre_core::ErrorCode;

use super::escape::escape;
use super::format::Format;
use super::streams::{json_line, stderr};
use super::style::Style;
use crate::exit::Exit;
use crate::failure::Failure;

/// The object on standard error under `--format json`, in the members of RFC 9457 (problem
/// details).
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    detail: &'a str,
    code: ErrorCode,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// Writes a failure to standard error. The message may quote text from elsewhere, so it is escaped.
pub fn report(failure: &Failure, format: Format) {
    match format {
        Format::Human => {
            let style = Style::stderr();
            let mut text = format!("{} {}\n", style.error("error:"), escape(&failure.detail));
            if let Some(hint) = &failure.hint {
                text.push_str(&format!("{} {}\n", style.hint("hint:"), escape(hint)));
            }
            stderr(&text);
        }
        Format::Json => {
            let problem = Problem {
                r#type: format!("urn:sre:problem:{}", failure.code),
                title: title(failure.exit),
                detail: &failure.detail,
                code: failure.code,
                exit_code: failure.exit.code(),
                hint: failure.hint.as_deref(),
            };
            stderr(&json_line(&problem));
        }
    }
}

fn title(exit: Exit) -> &'static str {
    match exit {
        Exit::Usage => "Bad usage or bad input",
        Exit::Interrupted => "Interrupted",
        Exit::Verdict(_) => "Nothing to verify",
        _ => "Operating failure",
    }
}
