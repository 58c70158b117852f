//! Logs: structured lines on standard error, each with the `order_id` and `attempt` of the spans it
//! stands in.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::cli::{Global, LogFormat};
use crate::output::{Progress, Style, stderr};

/// Starts logging. `SRE_LOG` decides what is logged (`warn,sre_verify=debug`), else the flags do.
pub fn start(global: &Global, progress: &Progress) {
    let chosen = EnvFilter::try_from_env("SRE_LOG").unwrap_or_else(|error| {
        if std::env::var_os("SRE_LOG").is_some_and(|value| !value.is_empty()) {
            stderr(&format!(
                "warning: SRE_LOG is not a log filter and is ignored: {error}\n"
            ));
        }
        EnvFilter::new(default_filter(global))
    });
    // A warning must say which order it is about, so the spans stay on when only warnings are
    // logged.
    let filter = chosen.or(filter_fn(is_own_span));
    let progress = progress.clone();
    let lines = fmt::layer()
        .with_ansi(Style::stderr().is_coloured())
        .with_writer(move || LogWriter(progress.clone()));
    let registry = tracing_subscriber::registry();
    // Fails only where logging was started before, which serves as well.
    drop(match global.log_format {
        LogFormat::Text => registry.with(lines.with_filter(filter)).try_init(),
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).try_init(),
    });
}

/// Warnings of every crate; more of our own crates, whose names all start with `sre`.
fn default_filter(global: &Global) -> &'static str {
    match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "warn,sre=info",
        (false, _) => "warn,sre=debug",
    }
}

fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("sre") && *metadata.level() <= Level::INFO
}

/// Standard error, with the spinner out of the way for the moment.
struct LogWriter(Progress);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspended(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
