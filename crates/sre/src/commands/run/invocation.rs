//! From flags to the invocation of an order.

use std::collections::BTreeMap;

use sre_core::{Collect, ErrorCode};
use sre_orchestrator::{ContentConfig, FileConfig, FolderConfig, InvocationConfig};

use super::order::read_file;
use crate::cli::{FolderArg, InvocationArgs};
use crate::failure::Failure;
use crate::files::{FOLDER_LIMIT_BYTES, WorkFile, collect};

/// The invocation that the flags describe; `None` where they describe none, and the order is one of
/// the JSON contract.
///
/// # Errors
/// When a file or folder cannot be read; the message names it.
pub fn read(args: InvocationArgs) -> Result<Option<InvocationConfig>, Failure> {
    if args.is_empty() {
        return Ok(None);
    }
    let mut words = args.command.into_iter();
    let entry = words.next();
    let stdin = match args.stdin {
        Some(file) => {
            let name = format!("the standard input in {}", file.display());
            let bytes = read_file(&file, &name, FOLDER_LIMIT_BYTES)?;
            Some(ContentConfig::Bytes(bytes.into()))
        }
        None => None,
    };
    let collect = if args.collect.is_empty() {
        Collect::default()
    } else {
        Collect::try_from(args.collect)
            .map_err(|error| Failure::new(ErrorCode::Usage, format!("--collect: {error}")))?
    };
    Ok(Some(InvocationConfig {
        entry,
        args: words.collect(),
        stdin,
        env: args.env.into_iter().collect(),
        work: args.work.map(folder).transpose()?.unwrap_or_default(),
        home: args.home.map(folder).transpose()?,
        accept_exit: args.accept_exit.unwrap_or_default(),
        collect,
    }))
}

fn folder(folder: FolderArg) -> Result<FolderConfig, Failure> {
    Ok(match folder {
        FolderArg::Order(id) => FolderConfig::Order(id),
        FolderArg::Tree(digest) => FolderConfig::Tree(digest),
        FolderArg::Path(path) => {
            let files = collect(&path)?.into_iter();
            let files: BTreeMap<_, _> = files.map(|(path, file)| (path, given(file))).collect();
            FolderConfig::Files(files)
        }
    })
}

fn given(file: WorkFile) -> FileConfig {
    match file {
        WorkFile::Link(target) => FileConfig::Link(target),
        WorkFile::File { bytes, executable } => FileConfig::File {
            content: ContentConfig::Bytes(bytes.into()),
            executable,
        },
    }
}
