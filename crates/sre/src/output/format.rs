//! For people or for programs.

use clap::ValueEnum;

/// What is printed to standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    #[default]
    Human,
    /// One JSON value on one line
    Json,
}
