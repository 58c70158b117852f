//! Colours, only where they are wanted: on a terminal, unless `NO_COLOR` is set
//! (<https://no-color.org>) or the terminal is dumb.

use std::io::IsTerminal;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub struct Style(bool);

impl Style {
    /// For standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && is_wanted())
    }

    /// For standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self(std::io::stderr().is_terminal() && is_wanted())
    }

    /// Whether there are any.
    #[must_use]
    pub const fn is_coloured(self) -> bool {
        self.0
    }

    /// What was asked about.
    #[must_use]
    pub fn title(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Names beside values.
    #[must_use]
    pub fn label(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// All is well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Worth a look.
    #[must_use]
    pub fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something is wrong.
    #[must_use]
    pub fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(self, text: &str) -> String {
        self.paint("36", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn is_wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}
