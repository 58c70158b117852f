//! Any bytes as a tree: what is accepted has one spelling and leads nowhere outside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_core::{BlobRole, Collect, Tree, TreeEntry};

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = Tree::parse(data) else { return };
    assert_eq!(tree.to_canonical(), data, "one tree has one spelling");
    for (path, entry) in tree.entries() {
        assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".." && part != "."));
        let TreeEntry::Link(target) = entry else {
            continue;
        };
        // Followed step by step from the folder it lies in, it never goes above the root.
        let mut depth = path.matches('/').count();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => depth = depth.checked_sub(1).expect("it stays below the root"),
                _ => depth += 1,
            }
        }
    }
    assert!(tree.changes(&tree).is_empty());
    let none = Collect::try_from(Vec::new()).expect("no patterns");
    assert_eq!(tree.with_collected(&Tree::default(), &none), tree);
    assert_eq!(BlobRole::Tree.named_by(data).len(), tree.blobs().count());
});
