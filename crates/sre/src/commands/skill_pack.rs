//! `sre skill pack`: a skill as one file, the same bytes each time.

use std::io::IsTerminal;
use std::path::PathBuf;

use sre_core::{ErrorCode, Manifest};
use sre_skill::{PackageLimits, Skill};

use super::requirements;
use crate::cli::{Format, Global, PackArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, bytes};

/// Packs a skill.
///
/// # Errors
/// When it is not a skill, a requirement cannot be had, or the file cannot be written.
pub fn pack(args: &PackArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let limits = PackageLimits::default();
    let mut skill = Skill::open(&args.skill, &limits)?;
    if let Some(requirements) = &args.requirements {
        progress.show("fetching the requirements with pip");
        let wheels = requirements::fetch(requirements, &args.python);
        progress.clear();
        skill = skill.with_wheels(&wheels?, &limits)?;
    }
    let (packed, default) = match global.format {
        Format::Human => (skill.to_tar_gz(), file_name(skill.manifest())),
        Format::Json => (
            output::json_line(&skill.to_object()).into_bytes(),
            PathBuf::from("-"),
        ),
    };
    let output = args.output.as_ref().unwrap_or(&default);
    if super::is_stdout(output) {
        if global.format == Format::Human && std::io::stdout().is_terminal() {
            return Err(
                Failure::new(ErrorCode::Usage, "a .tar.gz is not written to a terminal")
                    .hint("name a file with --output"),
            );
        }
        output::stdout(&packed)?;
        return Ok(Exit::Success);
    }
    std::fs::write(output, &packed).map_err(|error| {
        Failure::new(
            ErrorCode::OutputFailed,
            format!("cannot write {}: {error}", output.display()),
        )
    })?;
    if !global.quiet {
        let (size, digest) = (bytes(packed.len() as u64), skill.digest());
        output::stderr(&format!(
            "{}: {size}, skill sha256:{digest}\n",
            output::escape(&output.display().to_string())
        ));
    }
    Ok(Exit::Success)
}

/// A version is free text; a file name is not.
fn file_name(manifest: &Manifest) -> PathBuf {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    let version: String = manifest
        .version
        .chars()
        .take(64)
        .map(|c| if is_safe(c) { c } else { '_' })
        .collect();
    format!("{}-{version}.tar.gz", manifest.name).into()
}
