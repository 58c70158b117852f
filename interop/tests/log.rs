//! A log that `sre-log` wrote to a disk, read by `tlog_tiles` and `signed_note`: the checkpoint's
//! signature, every tile, proofs made by us and checked by them, proofs made by them from our tiles
//! and equal to ours.

use std::path::Path;
use std::sync::Arc;

use signed_note::{Note as TheirNote, StandardVerifier, VerifierList};
use sre_core::Digest;
use sre_da::{LocalStore, LocalStoreOptions};
use sre_log::{Log, LogSource, Submission};
use sre_receipt::tlog::{Entry, TilePath};
use sre_receipt::{NodeKey, SecretKey};
use tlog_tiles::{
    Checkpoint, Error, Hash, Tile, TileHashReader, TileReader, check_record, check_tree,
    prove_record, prove_tree, record_hash, tree_hash,
};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

fn entry(number: u64) -> Entry {
    Entry::receipt(Digest::of(&number.to_le_bytes()).into())
}

async fn log(folder: &Path, sizes: &[u64]) -> Log {
    let store =
        LocalStore::open(&folder.join("blobs"), LocalStoreOptions::default()).expect("a store");
    let key = NodeKey {
        name: "node.example/log".parse().expect("a name"),
        secret: SecretKey::from_seed(&[1; 32]),
    };
    let log = Log::open(&folder.join("log.sqlite3"), Arc::new(store), Arc::new(key))
        .await
        .expect("a log");
    let mut from = 0;
    for &size in sizes {
        let one = |n: u64| Submission {
            entry: entry(n),
            order_id: format!("order-{n}").parse().expect("an order id"),
        };
        log.submit((from..size).map(one).collect())
            .await
            .expect("numbers");
        log.integrate().await.expect("a checkpoint");
        from = size;
    }
    log
}

/// Our tiles as they ask for them: `tile/8/…` is C2SP's `tile/…`.
struct Ours<'a>(&'a Log);

impl TileReader for Ours<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let path: TilePath = tile
                .path()
                .replacen("tile/8/", "tile/", 1)
                .parse()
                .expect("a name of ours");
            block_in_place(|| Handle::current().block_on(self.0.tile(path))).expect("a tile")
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The checkpoint, by their reading of note, key and text.
fn theirs(log: &Log) -> Checkpoint {
    let note = TheirNote::from_bytes(log.checkpoint().1.to_string().as_bytes()).expect("a note");
    let verifier = StandardVerifier::new(&log.verifier_key().to_string()).expect("a verifier key");
    let (verified, unverified) = note
        .verify(&VerifierList::new(vec![Box::new(verifier)]))
        .expect("a good signature");
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    Checkpoint::from_bytes(note.text()).expect("a checkpoint")
}

#[tokio::test(flavor = "multi_thread")]
async fn azul_reads_our_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let sizes = [1, 2, 255, 256, 257, 700, 65_536, 66_100];
    for upto in 1..=sizes.len() {
        let folder = folder.path().join(upto.to_string());
        let log = log(&folder, &sizes[..upto]).await;
        let size = sizes[upto - 1];
        let checkpoint = theirs(&log);
        assert_eq!(
            (checkpoint.origin(), checkpoint.size()),
            ("node.example/log", size)
        );
        let reader = Ours(&log);
        let tiles = TileHashReader::new(size, *checkpoint.hash(), &reader);
        assert_eq!(tree_hash(size, &tiles).expect("a root"), *checkpoint.hash());
        for position in [0, 1, 254, 255, 256, 500, 65_535, 65_536, size - 1]
            .into_iter()
            .filter(|n| *n < size)
        {
            let leaf = record_hash(&entry(position).to_canonical());
            let ours = log
                .prove(position)
                .await
                .expect("a proof")
                .expect("not pending");
            let path: Vec<Hash> = ours.path.iter().map(|hash| Hash(hash.0)).collect();
            check_record(&path, size, *checkpoint.hash(), position, leaf).expect("our proof");
            assert_eq!(
                prove_record(size, position, &tiles).expect("their proof"),
                path,
                "entry {position} of {size}"
            );
        }
        for &old in sizes[..upto].iter() {
            let path = log
                .consistency(old, log.checkpoint().0)
                .await
                .expect("a path")
                .expect("it only grew");
            let path: Vec<Hash> = path.iter().map(|hash| Hash(hash.0)).collect();
            let old_root = tree_hash(old, &tiles).expect("the old root");
            check_tree(&path, size, *checkpoint.hash(), old, old_root).expect("our proof");
            assert_eq!(
                prove_tree(size, old, &tiles).expect("their proof"),
                path,
                "{old} of {size}"
            );
        }
    }
}

#[test]
fn azul_signs_what_we_verify() {
    use signed_note::{Signer as _, StandardSigner};
    let seed = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        [[1].as_slice(), &[7; 32]].concat(),
    );
    let ours = sre_receipt::tlog::VerifierKey::log(
        "a.example".parse().expect("a name"),
        SecretKey::from_seed(&[7; 32]).public(),
    );
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+a.example+{:08x}+{seed}", ours.id()))
        .expect("a signer");
    assert_eq!(signer.key_id(), ours.id());
    let mut note = TheirNote::new(
        b"a.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        &[],
    )
    .expect("a note");
    note.add_sigs(&[&signer]).expect("signed");
    let note = sre_receipt::tlog::Note::parse(&note.to_bytes()).expect("a note");
    assert_eq!(
        sre_receipt::tlog::Checkpoint::verify(&note, &ours)
            .expect("a checkpoint")
            .size,
        0
    );
}
