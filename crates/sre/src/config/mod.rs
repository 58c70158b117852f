//! The settings of the service: a commented default file, a file, the environment, flags.

mod layers;
mod settings;

pub use layers::{Config, Origin};
pub use settings::Settings;
pub use settings::Telemetry;

/// The commented defaults.
pub const DEFAULT: &str = include_str!("default.toml");
