//! `sre skill check`: is this a skill, and can the sandbox run it?

use serde_json::json;
use sre_core::{ErrorCode, RuntimeKind};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{ErrorKind, Sandbox};
use sre_skill::{NoteLevel, PackageLimits, Skill};

use crate::cli::{CheckArgs, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Sheet, Style};

/// Checks a package. Compiles its program, runs nothing, writes nothing.
///
/// # Errors
/// When it is not a skill, or the sandbox cannot run it.
pub fn check(args: &CheckArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    progress.show("checking the package");
    let skill = Skill::open(&args.skill, &PackageLimits::default())?;
    progress.update("compiling the program");
    compile(&skill, global, progress)?;
    progress.clear();
    let (manifest, warnings) = (skill.manifest(), warnings(&skill));
    let notes: Vec<&str> = messages(&skill, NoteLevel::Information).collect();
    let text = match global.format {
        Format::Human => table(&skill, &warnings, &notes),
        Format::Json => output::json_line(&json!({
            "name": manifest.name,
            "version": manifest.version,
            "digest": skill.digest(),
            "warnings": warnings,
            "notes": notes,
        })),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

fn compile(skill: &Skill, global: &Global, progress: &Progress) -> Result<(), Failure> {
    let is_script = skill
        .manifest()
        .runtime
        .as_ref()
        .is_none_or(|runtime| runtime.kind != RuntimeKind::Wasm);
    let sandbox = WasmSandbox::new(WasmOptions {
        // Looking at a skill leaves nothing of it behind; a language runtime is not of the skill.
        cache_folder: global.cache_folder().filter(|_| is_script),
        language_runtimes: sre_runtimes::shipped(),
        notice: Some(super::notice(progress)),
        ..WasmOptions::default()
    });
    sandbox
        .and_then(|sandbox| sandbox.prepare(skill, &skill.default_entry()?))
        .map_err(|error| match error.kind() {
            ErrorKind::Rejected => Failure::new(
                ErrorCode::SkillRejected,
                format!("the skill cannot run: {error}"),
            ),
            _ => Failure::new(ErrorCode::SandboxUnavailable, error.to_string()),
        })
}

fn table(skill: &Skill, warnings: &[&str], notes: &[&str]) -> String {
    let manifest = skill.manifest();
    let mut sheet = Sheet::new(Style::stdout());
    sheet.title(
        &format!("{} {}", manifest.name, manifest.version),
        &format!("sha256:{}", skill.digest()),
    );
    let good = sheet.style().good("✓");
    sheet.marked(
        &good,
        &format!("package: {}", super::skill_inspect::size(manifest)),
    );
    if let Some(runtime) = &manifest.runtime {
        sheet.marked(
            &good,
            &format!("program: {} compiles and links", runtime.entrypoint),
        );
    }
    let schemas = match (&manifest.io.input_schema, &manifest.io.output_schema) {
        (Some(_), Some(_)) => Some("input and output"),
        (Some(_), None) => Some("input"),
        (None, Some(_)) => Some("output"),
        (None, None) => None,
    };
    if let Some(schemas) = schemas {
        sheet.marked(&good, &format!("schemas: {schemas}"));
    }
    let mark = sheet.style().warning("!");
    for warning in warnings {
        sheet.marked(&mark, &format!("warning: {warning}"));
    }
    for note in notes {
        sheet.marked(" ", &format!("note: {note}"));
    }
    sheet.into_text()
}

/// What is allowed and probably not meant.
fn warnings(skill: &Skill) -> Vec<&str> {
    let manifest = skill.manifest();
    let mut warnings: Vec<&str> = messages(skill, NoteLevel::Warning).collect();
    if manifest.io.input_schema.is_none() {
        warnings.push("no io.input_schema: the skill must find wrong input by itself");
    }
    if manifest.io.output_schema.is_none() {
        warnings.push("no io.output_schema: any JSON that the skill prints counts as its result");
    }
    if manifest.version == "0.0.0" {
        warnings.push("no version");
    }
    warnings
}

fn messages(skill: &Skill, level: NoteLevel) -> impl Iterator<Item = &str> {
    skill
        .notes()
        .iter()
        .filter(move |note| note.level == level)
        .map(|note| note.message.as_str())
}
