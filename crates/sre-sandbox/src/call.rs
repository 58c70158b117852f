//! How a program is called: the JSON contract, or a command.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::Collect;

use crate::Files;

/// How a program is called, and by that what its outcome is.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// It gets JSON and returns one JSON value.
    Json {
        /// The input as canonical JSON.
        input: &'a [u8],
    },
    /// It gets arguments and files, and leaves output and files.
    Command(&'a Command),
}

/// A call as a command, with everything it is given.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Environment variables besides those of the contract.
    pub env: BTreeMap<String, String>,
    /// Standard input.
    pub stdin: Arc<[u8]>,
    /// What `/workspace` holds at the start.
    pub work: Files,
    /// What `$HOME` holds at the start. Without it the folder is empty, and what is left there is
    /// not part of the outcome.
    pub home: Option<Files>,
    /// Which changes below `/workspace` are part of the outcome.
    pub collect: Collect,
}

/// A [`Call`] that owns what it needs. Cheap to clone.
#[derive(Debug, Clone)]
pub enum OwnedCall {
    /// As [`Call::Json`].
    Json(Arc<[u8]>),
    /// As [`Call::Command`].
    Command(Arc<Command>),
}

impl OwnedCall {
    /// The same call, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> Call<'_> {
        match self {
            Self::Json(input) => Call::Json { input },
            Self::Command(command) => Call::Command(command),
        }
    }
}
