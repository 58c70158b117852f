//! `sre skill inspect`: what is in a package.

use serde_json::{Value, json};
use sre_core::{Annotations, FileEntry, Manifest};
use sre_skill::{Entry, PackageLimits, Skill, Usage};

use crate::cli::{Format, Global, InspectArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Sheet, Style, bytes, escape, escape_json, plural};

/// Shows a package.
///
/// # Errors
/// When it is not a skill.
pub fn inspect(args: &InspectArgs, global: &Global) -> Result<Exit, Failure> {
    let skill = Skill::open(&args.skill, &PackageLimits::default())?;
    let text = match global.format {
        Format::Human => table(&skill),
        Format::Json => output::json_line(&json!({
            "digest": skill.digest(),
            "manifest": skill.manifest(),
            "entries": skill.entries().iter().map(|entry| entry_json(&skill, entry)).collect::<Vec<_>>(),
        })),
    };
    output::stdout(text.as_bytes())?;
    Ok(Exit::Success)
}

fn table(skill: &Skill) -> String {
    let manifest = skill.manifest();
    let mut sheet = Sheet::new(Style::stdout());
    sheet.title(&format!("{} {}", manifest.name, manifest.version), "");
    sheet.row("digest", &format!("sha256:{}", skill.digest()));
    if let Some(runtime) = &manifest.runtime {
        sheet.row(
            "runtime",
            &format!("{} ({:?})", runtime.entrypoint, runtime.kind).to_lowercase(),
        );
        if let Some(seconds) = runtime.timeout_seconds {
            sheet.row("time limit", &format!("{seconds} s"));
        }
        if let Some(image) = &runtime.docker_image {
            sheet.row("image", image);
        }
    }
    sheet.row(
        "replay",
        if manifest.annotations.is_repeatable() {
            "yes"
        } else {
            "no: declared not repeatable"
        },
    );
    let hints = hints(&manifest.annotations);
    if !hints.is_empty() {
        sheet.row("hints", &hints);
    }
    sheet.row("content", &size(manifest));
    for line in files(manifest) {
        sheet.marked(" ", &line);
    }
    let entries = entries(skill);
    if !entries.is_empty() {
        sheet.block(&format!("{}\n{entries}", sheet.style().title("entries")));
    }
    for (name, schema) in [
        ("input schema", &manifest.io.input_schema),
        ("output schema", &manifest.io.output_schema),
    ] {
        match schema {
            Some(schema) => sheet.block(&format!(
                "{}\n{}",
                sheet.style().title(name),
                pretty(schema)
            )),
            None => sheet.block(&format!(
                "{}\nnone: anything goes",
                sheet.style().title(name)
            )),
        }
    }
    sheet.into_text()
}

fn usage(skill: &Skill, entry: &Entry) -> Option<Usage> {
    Usage::of_script(entry.kind, &skill.file(&entry.path)?.bytes)
}

fn entry_json(skill: &Skill, entry: &Entry) -> Value {
    let usage = usage(skill, entry).unwrap_or_default();
    let arguments: Vec<Value> = usage
        .arguments
        .iter()
        .map(|argument| json!({"names": argument.names, "help": argument.help}))
        .collect();
    json!({
        "path": entry.path,
        "kind": entry.kind,
        "description": usage.description,
        "arguments": arguments,
    })
}

/// The programs of the package with what they say about their arguments. Nothing is run for that.
fn entries(skill: &Skill) -> String {
    let mut lines = Vec::new();
    for entry in skill.entries() {
        let kind = format!("{:?}", entry.kind).to_lowercase();
        lines.push(escape(&format!("{} ({kind})", entry.path)));
        let usage = usage(skill, &entry).unwrap_or_default();
        if let Some(description) = &usage.description {
            lines.push(format!("    {}", escape(description)));
        }
        let width = usage
            .arguments
            .iter()
            .map(|argument| argument.names.chars().count())
            .max()
            .unwrap_or(0)
            .min(30);
        for argument in &usage.arguments {
            let help = argument.help.as_deref().unwrap_or_default();
            let line = format!("    {:<width$}  {help}", argument.names);
            lines.push(escape(line.trim_end()));
        }
    }
    lines.join("\n")
}

/// One aligned line for each file.
fn files(manifest: &Manifest) -> Vec<String> {
    let width = manifest
        .files
        .iter()
        .map(|file| file.path.chars().count())
        .max()
        .unwrap_or(0)
        .min(60);
    let line = |file: &FileEntry| {
        let executable = if file.executable { "  executable" } else { "" };
        let (size, digest) = (bytes(file.size), file.sha256.to_string());
        format!(
            "{:<width$}  {size:>11}  sha256:{}{executable}",
            file.path,
            &digest[..12]
        )
    };
    manifest.files.iter().map(line).collect()
}

fn pretty(value: &Value) -> String {
    escape_json(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Number and size of the files.
pub(super) fn size(manifest: &Manifest) -> String {
    let total = manifest.files.iter().map(|file| file.size).sum();
    format!(
        "{}, {}",
        plural(manifest.files.len() as u64, "file"),
        bytes(total)
    )
}

/// The annotations as they were written.
fn hints(annotations: &Annotations) -> String {
    let Ok(Value::Object(members)) = serde_json::to_value(annotations) else {
        return String::new();
    };
    let hints: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    hints.join(", ")
}
