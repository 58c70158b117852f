//! `sre skill new`: a folder with a small skill that works.

use std::fs;
use std::io;
use std::path::Path;

use crate::cli::{Format, Global, NewArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use sre_core::ErrorCode;

/// The files of a new skill. `NAME` in them stands for its name.
const FILES: &[(&str, &str)] = &[
    ("SKILL.md", include_str!("new_skill/SKILL.md")),
    ("main.wat", include_str!("new_skill/main.wat")),
    (
        "schemas/input.json",
        include_str!("new_skill/schemas/input.json"),
    ),
    (
        "schemas/output.json",
        include_str!("new_skill/schemas/output.json"),
    ),
];

/// Makes a skill.
///
/// # Errors
/// When the name is none, or the folder is there already or cannot be written.
pub fn new(args: &NewArgs, global: &Global) -> Result<Exit, Failure> {
    let name = &args.name;
    if !is_name(name) {
        let detail = format!("{name:?} is no name for a skill");
        return Err(Failure::new(ErrorCode::SkillInvalid, detail)
            .hint("use 1 to 64 lower-case letters, digits and single hyphens, and no hyphen at either end"));
    }
    let folder = args.dir.join(name);
    let shown = folder
        .strip_prefix(".")
        .unwrap_or(&folder)
        .display()
        .to_string();
    let refuse = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(ErrorCode::FolderExists, format!("{shown} exists already"))
                .hint("choose another name, or another place with --dir")
        }
        _ => Failure::new(
            ErrorCode::OutputFailed,
            format!("cannot make {shown}: {error}"),
        ),
    };
    fs::create_dir_all(&args.dir)
        .and_then(|()| fs::create_dir(&folder))
        .map_err(refuse)?;
    if let Err(error) = write(&folder, name) {
        // Made a moment ago, by us; half a skill helps nobody.
        drop(fs::remove_dir_all(&folder));
        return Err(refuse(error));
    }
    let text = match global.format {
        Format::Human => format!(
            "{shown}\n  SKILL.md       what the skill is for, and what the runtime needs to know\n  \
             main.wat       the program: puts its input into {{\"echo\": …}}\n  \
             schemas/       what goes in and what comes out\n\n\
             Try it:  sre run {shown} --input '{{\"hello\":\"world\"}}'\n"
        ),
        Format::Json => output::json_line(&serde_json::json!({"path": folder})),
    };
    output::stdout(output::escape(&text).as_bytes())?;
    Ok(Exit::Success)
}

fn write(folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir(folder.join("schemas"))?;
    FILES
        .iter()
        .try_for_each(|(path, text)| fs::write(folder.join(path), text.replace("NAME", name)))
}

/// The rule of Agent Skills packages.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !(name.starts_with('-') || name.ends_with('-') || name.contains("--"))
}
