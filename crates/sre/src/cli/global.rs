//! Flags of every command.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use sre_orchestrator::{DataFolder, default_cache_folder, default_data_folder};

use crate::failure::Failure;
use crate::output::Format;

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Global {
    /// Where orders and results are kept [default: $XDG_DATA_HOME/sre or ~/.local/share/sre]
    #[arg(
        long,
        global = true,
        env = "SRE_DATA_DIR",
        hide_env = true,
        value_name = "DIR"
    )]
    pub data_dir: Option<PathBuf>,
    /// Where compiled programs are kept [default: $XDG_CACHE_HOME/sre or ~/.cache/sre]
    #[arg(
        long,
        global = true,
        env = "SRE_CACHE_DIR",
        hide_env = true,
        value_name = "DIR"
    )]
    pub cache_dir: Option<PathBuf>,
    /// Allow native skills: processes in a jail. `sre doctor` says what would hold them
    #[arg(
        long,
        global = true,
        env = "SRE_ALLOW_NATIVE",
        hide_env = true,
        help_heading = "Native skills"
    )]
    pub allow_native: bool,
    /// Run native skills although this host cannot enforce these layers, each by name
    #[arg(
        long,
        global = true,
        env = "SRE_NATIVE_WITHOUT",
        hide_env = true,
        value_name = "LAYER",
        value_delimiter = ',',
        value_parser = ["memory_limit", "cpu_limit", "process_limit", "landlock", "repeatability"],
        help_heading = "Native skills"
    )]
    pub native_without: Vec<String>,
    /// A folder with the programs that native skills may use, instead of this host's /usr: a root
    /// file system, or an OCI image layout
    #[arg(
        long,
        global = true,
        env = "SRE_NATIVE_ROOT",
        hide_env = true,
        value_name = "DIR",
        help_heading = "Native skills"
    )]
    pub native_root: Option<PathBuf>,
    /// Keep so many jails made ahead, with Python waiting in them [default: 0]
    #[arg(
        long,
        global = true,
        env = "SRE_NATIVE_WARM",
        hide_env = true,
        value_name = "N",
        help_heading = "Native skills"
    )]
    pub native_warm: Option<u16>,
    /// What is printed to standard output
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub format: Format,
    /// What log lines on standard error look like
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// Log more to standard error; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Neither spinner nor notes nor warnings
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What log lines look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

impl Global {
    /// Where compiled programs are kept: as asked for, or the platform's folder, if it has one.
    #[must_use]
    pub fn cache_folder(&self) -> Option<PathBuf> {
        self.cache_dir
            .clone()
            .or_else(|| default_cache_folder().ok())
    }

    /// The data folder: as asked for, or the platform's.
    ///
    /// # Errors
    /// When none is named and there is no home folder.
    pub fn data_folder(&self) -> Result<DataFolder, Failure> {
        Ok(DataFolder::new(match &self.data_dir {
            Some(path) => path.clone(),
            None => default_data_folder()?,
        }))
    }
}
