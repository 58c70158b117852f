//! The spinner: on standard error, on a terminal only.

use std::io;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape;

/// A spinner that shows what goes on, or nothing at all.
#[derive(Clone)]
pub struct Progress {
    /// Knows the lines that are drawn, so that a log line can make them step aside.
    area: MultiProgress,
    spinner: ProgressBar,
}

impl Progress {
    /// Nothing is drawn until [`Progress::show`], and never unless it is `wanted` and standard error
    /// is a terminal.
    #[must_use]
    pub fn new(wanted: bool) -> Self {
        let target = if wanted {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let area = MultiProgress::with_draw_target(target);
        let spinner = area.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        Self { area, spinner }
    }

    /// Shows `message` from now on.
    pub fn show(&self, message: &str) {
        self.update(message);
        if !self.area.is_hidden() {
            self.spinner.enable_steady_tick(Duration::from_millis(100));
        }
    }

    /// Changes the message of a spinner that is shown.
    pub fn update(&self, message: &str) {
        self.spinner.set_message(escape(message));
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.spinner.finish_and_clear();
    }

    /// Runs `write` while nothing is drawn.
    pub fn suspended(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.area.suspend(write)
    }
}
