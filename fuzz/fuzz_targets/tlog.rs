//! Any bytes as what a log publishes: note, checkpoint, proof, entry, name of a tile, verifier key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_receipt::tlog::{Checkpoint, Entry, Note, TilePath, TlogProof, VerifierKey};

fuzz_target!(|data: &[u8]| {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
    }
    if let Ok(proof) = TlogProof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
        let _ = proof.verify_inclusion(b"entry");
    }
    if let Ok(entry) = Entry::parse(data) {
        assert_eq!(entry.to_canonical(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    if let Ok(path) = text.parse::<TilePath>() {
        assert_eq!(path.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
});
