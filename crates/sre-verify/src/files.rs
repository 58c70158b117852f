//! In which file a replay differs from what is committed, and from which byte on.

use sre_core::{ChangeKind, Difference, Outcome, Tree, TreeDigest, TreeEntry};
use sre_da::Store;
use sre_sandbox::{Execution, FileNode, LeftFiles};

use crate::call;
use crate::difference::shown_bytes;

/// The first file that differs, `/workspace` before `$HOME`; `None` where no file does, or where
/// the committed tree cannot be had.
pub(crate) async fn first_difference(
    store: &dyn Store,
    committed: &Outcome,
    replayed: &Execution,
) -> Option<Difference> {
    let folders = [
        ("/workspace", committed.workspace, &replayed.workspace),
        ("/home/skill", committed.home, &replayed.home),
    ];
    for (folder, committed, left) in folders {
        if let (Some(committed), Some(left)) = (committed, left)
            && let Some(difference) = in_folder(store, folder, committed, left).await
        {
            return Some(difference);
        }
    }
    None
}

async fn in_folder(
    store: &dyn Store,
    folder: &str,
    committed: TreeDigest,
    left: &LeftFiles,
) -> Option<Difference> {
    if left.tree.digest::<TreeDigest>() == committed {
        return None;
    }
    let committed: Tree = call::tree(store, committed).await.ok()?;
    let changes = committed.changes(&left.tree);
    let change = changes.first()?;
    let (before, after) = (committed.get(change.path), left.tree.get(change.path));
    let mut difference = Difference {
        path: Some(format!("{folder}/{}", change.path)),
        byte: None,
        pointer: None,
        committed: in_words(before),
        replayed: in_words(after),
    };
    // Two files with other contents: then the bytes tell more than their digests.
    if change.kind == ChangeKind::Changed
        && let (
            Some(TreeEntry::File { content, .. }),
            Some(FileNode::File {
                bytes: replayed, ..
            }),
        ) = (before, left.files.get(change.path))
        && let Ok(bytes) = store.get(content.sha256).await
        && *bytes != **replayed
    {
        let at = bytes
            .iter()
            .zip(replayed.iter())
            .take_while(|(one, other)| one == other)
            .count();
        difference.byte = Some(at as u64);
        difference.committed = shown_bytes(&bytes, at);
        difference.replayed = shown_bytes(replayed, at);
    }
    Some(difference)
}

fn in_words(entry: Option<&TreeEntry>) -> String {
    match entry {
        None => String::from("nothing"),
        Some(TreeEntry::Link(target)) => format!("a link to {target:?}"),
        Some(TreeEntry::File {
            content,
            executable,
        }) => {
            let kind = if *executable { "an executable" } else { "a" };
            format!("{kind} file of {} bytes", content.size)
        }
    }
}
