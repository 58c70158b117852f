//! Trees: one spelling, nothing that leads outside, and changes that add up.

use proptest::collection::vec;
use proptest::prelude::*;
use sre_core::{ChangeKind, Collect, Content, Tree, TreeEntry, TreeError};

fn file(content: &[u8], executable: bool) -> TreeEntry {
    TreeEntry::File {
        content: Content::of(content),
        executable,
    }
}

fn tree(entries: &[(&str, TreeEntry)]) -> Tree {
    let entries = entries
        .iter()
        .map(|(path, entry)| ((*path).to_owned(), entry.clone()));
    Tree::new(entries).expect("a tree")
}

fn link(path: &str, target: &str) -> Result<Tree, TreeError> {
    Tree::new([(path.to_owned(), TreeEntry::Link(target.to_owned()))])
}

#[test]
fn the_canonical_form_is_a_sorted_list() {
    let tree = tree(&[
        ("b", TreeEntry::Link(String::from("a/x"))),
        ("a/x", file(b"", true)),
    ]);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = format!(
        "[{{\"executable\":true,\"path\":\"a/x\",\"sha256\":\"{empty}\",\"size\":0}},{{\"link\":\"a/x\",\"path\":\"b\"}}]"
    );
    assert_eq!(String::from_utf8(tree.to_canonical()), Ok(text));
    assert_eq!(Tree::default().to_canonical(), b"[]");
}

#[test]
fn paths_that_leave_the_tree_or_no_file_system_takes_are_refused() {
    let long_part = "n".repeat(256);
    let long = ["n"; 600].join("/");
    for path in [
        "", "/a", "a/", "a//b", ".", "..", "./a", "a/../b", "a/..", "a\0b", &long_part, &long,
    ] {
        let refused = Tree::new([(path.to_owned(), file(b"", false))]);
        assert!(matches!(refused, Err(TreeError::Path { .. })), "{path:?}");
    }
    let longest = "n".repeat(255);
    assert!(Tree::new([(longest, file(b"", false))]).is_ok());
}

#[test]
fn links_that_lead_above_the_root_are_refused() {
    for (path, target) in [
        ("l", ".."),
        ("l", "../a"),
        ("d/l", "../../a"),
        ("l", "/etc/passwd"),
        ("l", ""),
        ("l", "a\0"),
        ("l", "a/.."),
        ("d/l", ".././../a"),
    ] {
        assert!(
            matches!(link(path, target), Err(TreeError::Link { .. })),
            "{path} {target:?}"
        );
    }
    for (path, target) in [
        ("l", "a/b"),
        ("d/l", "../a"),
        ("d/e/l", "../.."),
        ("l", "./a//b"),
    ] {
        assert!(link(path, target).is_ok(), "{path} {target:?}");
    }
}

/// Lexically `d/../../x` stays inside from `a/l` on. With `d` a link to the root's child it would
/// not, so a way up behind another part is refused.
#[test]
fn two_links_together_do_not_lead_out_either() {
    assert!(link("a/b/l", "d/../../x").is_err());
}

#[test]
fn nothing_lies_below_a_file_or_a_link() {
    for parent in [file(b"", false), TreeEntry::Link(String::from("x"))] {
        let refused = Tree::new([
            (String::from("a"), parent),
            (String::from("a/b/c"), file(b"", false)),
        ]);
        assert!(matches!(refused, Err(TreeError::BelowFile { .. })));
    }
    // Sorted between `a` and `a/b`, and no folder of either.
    let entries = ["a/b", "a.c", "a-"].map(|path| (path.to_owned(), file(b"", false)));
    assert!(Tree::new(entries).is_ok());
}

#[test]
fn other_spellings_of_a_tree_are_refused() {
    let good = tree(&[("a", file(b"1", false)), ("b", file(b"2", false))]).to_canonical();
    assert!(Tree::parse(&good).is_ok());
    let good = String::from_utf8(good).expect("UTF-8");
    let twice = format!("[{0},{0}]", &good[1..good.find("},").expect("two") + 1]);
    for bad in [
        good.replace("},{", "}, {"),
        good.replace("\"size\":1", "\"size\":1.0"),
        good.replace("\"executable\":false,", ""),
        good.replace("\"size\":1", "\"size\":1,\"mode\":7"),
        good.replace("\"a\"", "\"c\""),
        good.replace("\"a\"", "\"\\u0061\""),
        twice,
        String::from("{}"),
        String::from("[{\"path\":\"a\"}]"),
        String::from("[{\"link\":\"x\",\"path\":\"a\",\"size\":1}]"),
        String::new(),
    ] {
        assert!(Tree::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn changes_say_what_was_added_changed_and_deleted() {
    let before = tree(&[
        ("bit", file(b"1", false)),
        ("gone", file(b"1", false)),
        ("same", file(b"1", false)),
        ("text", file(b"1", false)),
    ]);
    let after = tree(&[
        ("bit", file(b"1", true)),
        ("new", TreeEntry::Link(String::from("same"))),
        ("same", file(b"1", false)),
        ("text", file(b"2", false)),
    ]);
    let changes: Vec<_> = before
        .changes(&after)
        .iter()
        .map(|change| (change.path, change.kind))
        .collect();
    assert_eq!(
        changes,
        [
            ("bit", ChangeKind::Changed),
            ("gone", ChangeKind::Deleted),
            ("new", ChangeKind::Added),
            ("text", ChangeKind::Changed),
        ]
    );
}

#[test]
fn what_is_not_collected_stays_as_it_was() {
    let before = tree(&[("in.csv", file(b"1", false)), ("log", file(b"1", false))]);
    let after = tree(&[
        ("in.csv", file(b"2", false)),
        ("out/a.csv", file(b"3", false)),
        ("tmp", file(b"4", false)),
    ]);
    let collect = Collect::try_from(vec![String::from("out/**")]).expect("patterns");
    let expected = tree(&[
        ("in.csv", file(b"1", false)),
        ("log", file(b"1", false)),
        ("out/a.csv", file(b"3", false)),
    ]);
    assert_eq!(before.with_collected(&after, &collect), expected);
    assert_eq!(before.with_collected(&after, &Collect::default()), after);
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let entry = prop_oneof![
        (any::<u8>(), any::<bool>()).prop_map(|(byte, executable)| file(&[byte], executable)),
        "(\\.\\./)?[ab]".prop_map(TreeEntry::Link),
    ];
    // Few names, so that trees overlap and folders and files meet at one path.
    vec(("[abc](/[abc]){0,3}", entry), 0..12).prop_map(|entries| {
        let mut tree = Tree::default();
        for entry in entries {
            let known = tree
                .entries()
                .map(|(path, entry)| (path.to_owned(), entry.clone()));
            if let Ok(larger) = Tree::new(known.chain([entry])) {
                tree = larger;
            }
        }
        tree
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(tree in any_tree()) {
        let bytes = tree.to_canonical();
        prop_assert_eq!(Tree::parse(&bytes), Ok(tree));
    }

    #[test]
    fn whatever_is_read_is_written_like_that(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(tree) = Tree::parse(&bytes) {
            prop_assert_eq!(tree.to_canonical(), bytes);
        }
    }

    /// Whatever is collected is a tree, and every selected change is in it.
    #[test]
    fn collected_changes_make_a_tree(before in any_tree(), after in any_tree(), pattern in "[abc*](/[abc*]){0,2}") {
        let collect = Collect::try_from(vec![pattern]).expect("a pattern");
        let collected = before.with_collected(&after, &collect);
        prop_assert_eq!(&Tree::parse(&collected.to_canonical()), &Ok(collected.clone()));
        for (path, entry) in after.entries().filter(|(path, _)| collect.matches(path)) {
            prop_assert_eq!(collected.get(path), Some(entry));
        }
    }
}
