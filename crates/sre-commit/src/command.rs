//! What a command did, for people and programs: the reported form of an outcome.

use sre_core::{ChangeKind, CommandResult, Content, FileChange, Outcome, Stdout, TreeEntry};
use sre_da::Store;
use sre_sandbox::{Command, Execution, SandboxError};

/// The report on a command that ran.
///
/// # Errors
/// [`SandboxError::Bug`] when the run did not hand over what its outcome names.
pub(crate) fn report(
    command: &Command,
    execution: &Execution,
    store: &dyn Store,
) -> Result<Option<CommandResult>, SandboxError> {
    // A program that leaves more than a tree may hold has an outcome without trees.
    let Some(workspace) = &execution.workspace else {
        return Ok(None);
    };
    let given = command.work.to_tree().map_err(|error| {
        SandboxError::Bug(format!("what /workspace held at the start: {error}"))
    })?;
    let outcome = &execution.outcome;
    let changes = given.changes(&workspace.tree);
    Ok(Some(CommandResult {
        exit_code: outcome.exit_code(),
        stdout: stdout(outcome, execution.stdout.as_deref().unwrap_or_default()),
        files: changes
            .iter()
            .take(CommandResult::FILES_LIMIT)
            .map(|change| file_change(change.path, change.kind, change.entry, store))
            .collect(),
        files_changed: changes.len() as u64,
        tree: workspace.tree.digest(),
        home_tree: execution.home.as_ref().map(|home| home.tree.digest()),
    }))
}

fn stdout(outcome: &Outcome, bytes: &[u8]) -> Stdout {
    let Content { sha256, size } = outcome.stdout.unwrap_or_else(|| Content::of(bytes));
    let text = (size <= Stdout::TEXT_LIMIT_BYTES)
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten();
    Stdout {
        sha256,
        size,
        text: text.map(str::to_owned),
    }
}

fn file_change(path: &str, change: ChangeKind, entry: &TreeEntry, store: &dyn Store) -> FileChange {
    let is_there = change != ChangeKind::Deleted;
    let (content, executable, link) = match entry {
        TreeEntry::File {
            content,
            executable,
        } => (Some(content), *executable, None),
        TreeEntry::Link(target) => (None, false, Some(target)),
    };
    let content = content.filter(|_| is_there);
    FileChange {
        path: path.to_owned(),
        change,
        size: content.map(|content| content.size),
        sha256: content.map(|content| content.sha256),
        executable: executable && is_there,
        uri: content.map(|content| store.uri(content.sha256)),
        link: link.filter(|_| is_there).cloned(),
    }
}
