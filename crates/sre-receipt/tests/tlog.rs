//! The formats of the log against their specifications, and proofs against a tree that is computed
//! naively.

use proptest::prelude::*;
use sre_receipt::tlog::{
    Checkpoint, Hash, Note, NoteError, TilePath, TlogProof, VerifierKey, verify_consistency,
    verify_inclusion,
};

/// The example of C2SP `signed-note` (CC BY 4.0, https://c2sp.org/signed-note).
#[test]
fn the_note_of_the_specification_verifies() {
    let key: VerifierKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        .parse()
        .expect("a key");
    let text = "This is an example message.\n\n— example.com/foo \
                Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let note = Note::parse(text.as_bytes()).expect("a note");
    assert_eq!(note.signed_by(&key), Ok(Some(0)));
    assert_eq!(note.to_string(), text);
    let other = Note::parse(
        text.replace("example message", "example massage")
            .as_bytes(),
    )
    .expect("a note");
    assert_eq!(other.signed_by(&key), Err(NoteError::Bad(key.name.clone())));
    let mut stranger = key;
    stranger.name = "example.com/bar".parse().expect("a name");
    assert_eq!(note.signed_by(&stranger), Ok(None));
}

#[test]
fn malformed_notes_and_checkpoints_are_refused() {
    let line = "— a AAAAAAAA\n";
    for text in [
        "",
        "\n",
        "a\n",
        "a\n\n",
        "a\n\nb\n",
        &format!("a\n\n{line}\n"),
        &format!("a\r\n\n{line}"),
        "a\n\n— a AAAA\n",
    ] {
        assert!(Note::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(Note::parse(b"\xff\n\n").is_err());
    assert!(Note::parse(format!("a\n\n{}", line.repeat(65)).as_bytes()).is_err());
    assert!(Note::parse(format!("a\n\n{}", line.repeat(64)).as_bytes()).is_ok());
    assert!(Note::parse(format!("{}\n\n{line}", "a".repeat(70_000)).as_bytes()).is_err());
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert!(Checkpoint::parse(&format!("a\n0\n{root}\n")).is_ok());
    for text in [
        format!("a\n00\n{root}\n"),
        format!("a\n-1\n{root}\n"),
        format!("a\n+1\n{root}\n"),
        format!("a\n99999999999999999999\n{root}\n"),
        format!("a b\n0\n{root}\n"),
        format!("\n0\n{root}\n"),
        format!("a\n0\n{root}"),
        format!("a\n0\n{root}\nextension\n"),
        format!("a\n0\n{}\n", &root[..40]),
        format!("a\n0\n{}\n", root.replace('U', "V").replace("V=", "X=")),
    ] {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
}

/// The definition of RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::node(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if index < left.len() {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - left.len(), right), naive_root(left))
    };
    path.push(sibling);
    path
}

fn naive_consistency(old: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_known {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if old <= left.len() {
        (naive_consistency(old, left, is_known), naive_root(right))
    } else {
        (
            naive_consistency(old - left.len(), right, false),
            naive_root(left),
        )
    };
    path.push(sibling);
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| Hash::leaf(&n.to_le_bytes())).collect()
}

#[test]
fn every_proof_of_small_trees_holds_and_no_other_does() {
    let all = leaves(40);
    for size in 1..=all.len() {
        let (tree, root) = (&all[..size], naive_root(&all[..size]));
        for index in 0..size {
            let path = naive_path(index, tree);
            let check = |leaf, index: usize, size: usize, path: &[Hash]| {
                verify_inclusion(leaf, index as u64, size as u64, path, &root)
            };
            assert_eq!(check(tree[index], index, size, &path), Ok(()));
            assert!(
                check(all[index + 1 - 2 * (index % 2).min(1)], index, size, &path).is_err()
                    || size == 1
            );
            assert!(check(tree[index], size, size, &path).is_err());
            if !path.is_empty() {
                assert!(check(tree[index], index, size, &path[1..]).is_err());
                assert!(check(tree[index], index, size, &path[..path.len() - 1]).is_err());
            }
            assert!(check(tree[index], index, size, &[&path[..], &[root]].concat()).is_err());
        }
        for old in 0..=size {
            let old_root = naive_root(&all[..old]);
            let path = if old == 0 {
                Vec::new()
            } else {
                naive_consistency(old, tree, true)
            };
            let check = |old_root: &Hash, root: &Hash, path: &[Hash]| {
                verify_consistency((old as u64, old_root), (size as u64, root), path)
            };
            assert_eq!(check(&old_root, &root, &path), Ok(()), "{old} of {size}");
            if old > 0 {
                assert!(
                    check(&Hash::leaf(b"other"), &root, &path).is_err(),
                    "{old} of {size}"
                );
                assert!(
                    check(&old_root, &Hash::leaf(b"other"), &path).is_err(),
                    "{old} of {size}"
                );
            }
            assert!(
                check(&old_root, &root, &[&path[..], &[root]].concat()).is_err(),
                "{old} of {size}"
            );
        }
        assert!(verify_consistency((size as u64 + 1, &root), (size as u64, &root), &[]).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Note::parse(&bytes);
        let _ = TlogProof::parse(&bytes);
        let _ = sre_receipt::Bundle::parse(&bytes);
        let _ = sre_receipt::Envelope::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Checkpoint::parse(&text);
        let _ = text.parse::<TilePath>();
        let _ = text.parse::<VerifierKey>();
    }

    #[test]
    fn tile_names_have_one_spelling(level in prop::option::of(0u8..64), index in 0u64..1_000_000_000_000, width in 1u16..=256) {
        let path = TilePath { level, index, width };
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn proofs_are_read_back(index in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..=64)) {
        let mut checkpoint = Note::new(String::from("a\n1\nAAAA\n")).expect("a note");
        checkpoint.sign("a".parse().expect("a name"), &sre_receipt::SecretKey::from_seed(&[1; 32]));
        let proof = TlogProof { index, path: path.into_iter().map(Hash).collect(), checkpoint };
        let text = proof.to_string();
        prop_assert_eq!(TlogProof::parse(text.as_bytes()), Ok(proof));
    }

    #[test]
    fn proofs_of_large_trees_hold(size in 1usize..3000, at in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let (index, root) = (at.index(size), naive_root(&all));
        let path = naive_path(index, &all);
        prop_assert_eq!(verify_inclusion(all[index], index as u64, size as u64, &path, &root), Ok(()));
        let wrong = (index as u64 + 1) % size as u64;
        prop_assert!(size == 1 || verify_inclusion(all[index], wrong, size as u64, &path, &root).is_err());
        let old = index + 1;
        let path = naive_consistency(old, &all, true);
        let old_root = naive_root(&all[..old]);
        prop_assert_eq!(verify_consistency((old as u64, &old_root), (size as u64, &root), &path), Ok(()));
    }
}
