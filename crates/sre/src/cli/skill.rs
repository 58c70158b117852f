//! Flags of `sre skill`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `sre skill`.
#[derive(Debug, Subcommand)]
pub enum SkillCommand {
    /// Check that a package is a skill and that the sandbox can run it
    Check(CheckArgs),
    /// Show what is in a package: manifest, digest, files, schemas
    Inspect(InspectArgs),
    /// Pack a skill into one file, the same bytes each time
    Pack(PackArgs),
    /// Make a folder with a small skill that works, to start from
    New(NewArgs),
}

/// `sre skill check`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  sre skill check examples/word-count

Exit codes: 0 it can run, perhaps with warnings; 2 it cannot.")]
pub struct CheckArgs {
    /// A folder with a SKILL.md, a .tar.gz, a .zip, or a file with the JSON form
    pub skill: PathBuf,
}

/// `sre skill inspect`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sre skill inspect examples/word-count
  sre skill inspect skill.tar.gz --format json | jq -r .digest")]
pub struct InspectArgs {
    /// A folder with a SKILL.md, a .tar.gz, a .zip, or a file with the JSON form
    pub skill: PathBuf,
}

/// `sre skill pack`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sre skill pack examples/word-count                       # word-count-1.0.0.tar.gz
  sre skill pack examples/word-count --output - | tar tz
  sre skill pack examples/word-count --format json         # ready to stand as skill_package
  sre skill pack my-skill --requirements requirements.txt  # with its Python dependencies

The .tar.gz has the skill's digest and depends on nothing but the skill: neither on times nor on owners.
An existing file is replaced.")]
pub struct PackArgs {
    /// A folder with a SKILL.md, a .tar.gz, a .zip, or a file with the JSON form
    pub skill: PathBuf,
    /// Where to write it, "-" for standard output [default: NAME-VERSION.tar.gz; JSON: standard
    /// output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Fetch these Python requirements with pip and add them as vendor/; wheels with compiled code
    /// are refused
    #[arg(long, value_name = "FILE")]
    pub requirements: Option<PathBuf>,
    /// The Python whose pip fetches them
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "python3",
        requires = "requirements"
    )]
    pub python: PathBuf,
}

/// `sre skill new`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sre skill new hello
  sre run hello --input '{\"hello\":\"world\"}'
  sre skill new sort-lines --lang rust")]
pub struct NewArgs {
    /// Name of the skill and of its folder: lower-case letters, digits and single hyphens
    pub name: String,
    /// The language of its program
    #[arg(long, value_enum, default_value_t = Language::Python)]
    pub lang: Language,
    /// Where to make the folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// A language that `sre skill new` has a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// A Python script
    Python,
    /// A JavaScript module
    Javascript,
    /// A TypeScript module
    Typescript,
    /// A shell script
    Shell,
    /// Rust, compiled to WebAssembly
    Rust,
    /// C, compiled to WebAssembly
    C,
}
