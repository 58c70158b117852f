//! `sre files`: what an order of the service left.

use std::sync::Arc;

use sre_client::{Client, Request, Sources};
use sre_core::{ChangeKind, CommandResult, ErrorCode, OrderResult, Tree, TreeEntry};
use sre_da::Store;

use super::connect;
use super::run::left::{self, Target};
use crate::cli::{FilesArgs, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress};

/// The blobs of a service. Their digests are checked.
pub fn store(client: &Client) -> Arc<dyn Store> {
    let mut sources = Sources::default();
    sources.add_service(client.clone());
    Arc::new(sources)
}

/// `sre files`.
///
/// # Errors
/// What the service said; an order that has not ended, or left no files.
pub fn files(args: &FilesArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let client = connect::service(&args.client)?;
    super::runtime()?.block_on(async {
        if let Some(path) = &args.file {
            let printed = client.order_file(&args.order, path, output::stdout).await?;
            return printed.map(|()| Exit::Success);
        }
        let answer = client.send(Request::of_order(&args.order, "")).await?;
        let result: OrderResult = serde_json::from_value(answer).map_err(|_| {
            let detail = format!("order {} has not ended", args.order);
            Failure::new(ErrorCode::OrderOpen, detail)
                .hint("`sre result ORDER --wait` waits for its end")
        })?;
        let Some(command) = &result.command else {
            let detail = format!("order {} left no files", args.order);
            return Err(Failure::new(ErrorCode::FileUnknown, detail)
                .hint("only orders with an invocation do"));
        };
        let store = store(&client);
        if let Some(folder) = &args.out {
            progress.show("fetching files");
            let target = Target::new(folder);
            let written = if args.all {
                let after = left::tree(&store, command.tree).await?;
                left::write_changes(&store, &Tree::default(), &after, &target).await?
            } else {
                left::write(&store, &result, &target).await?
            };
            progress.clear();
            if !global.quiet {
                let written = output::plural(written as u64, "file");
                output::stderr(&format!("{written} written to {}\n", folder.display()));
            }
            return Ok(Exit::Success);
        }
        let text = if args.all {
            let tree = left::tree(&store, command.tree).await?;
            everything(&tree, global)
        } else {
            changes(command, global)
        };
        output::stdout(text.as_bytes())?;
        Ok(Exit::Success)
    })
}

fn changes(command: &CommandResult, global: &Global) -> String {
    if global.format == Format::Json {
        return output::json_line(&command.files);
    }
    let mut text = String::new();
    for file in &command.files {
        let kind = match file.change {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Deleted => "deleted",
        };
        let size = file.size.map(output::bytes).unwrap_or_default();
        text += &line(
            &format!("{kind:<8}"),
            &size,
            &file.path,
            file.link.as_deref(),
        );
    }
    let listed = command.files.len() as u64;
    if command.files_changed > listed {
        let more = output::plural(command.files_changed - listed, "change");
        text += &format!("and {more} more; --all lists what is there\n");
    }
    text
}

fn everything(tree: &Tree, global: &Global) -> String {
    if global.format == Format::Json {
        return output::json_line(tree);
    }
    let lines = tree.entries().map(|(path, entry)| match entry {
        TreeEntry::File { content, .. } => line("", &output::bytes(content.size), path, None),
        TreeEntry::Link(target) => line("", "", path, Some(target)),
    });
    lines.collect()
}

fn line(kind: &str, size: &str, path: &str, link: Option<&str>) -> String {
    let target = link
        .map(|target| format!(" -> {target}"))
        .unwrap_or_default();
    output::escape(&format!("{kind}{size:>10}  {path}{target}")) + "\n"
}
