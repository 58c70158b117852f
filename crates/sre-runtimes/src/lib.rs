//! The language runtimes as they are shipped: Python and JavaScript, compiled to WebAssembly.
//!
//! Nine megabytes of data and their names, and nothing else; a crate of its own, so that programs which
//! bring other runtimes, or none, need not carry them. Where they come from and what is in them:
//! `runtimes/` in the repository.
//!
//! The digests are part of every commitment to a script's outcome. When a runtime is replaced, its
//! old digest stays in [`shipped`] without bytes, so that older orders can be replayed with what
//! their store has kept.

use std::borrow::Cow;

use sre_core::{Digest, RuntimeKind};
use sre_sandbox::LanguageRuntime;

const PYTHON: &[u8] = include_bytes!("../../../runtimes/python/python.wasm.zst");
const JAVASCRIPT: &[u8] = include_bytes!("../../../runtimes/javascript/javascript.wasm.zst");

/// Every runtime this version knows; the first of a kind is the one for new orders.
#[must_use]
pub fn shipped() -> Vec<LanguageRuntime> {
    vec![
        runtime(
            RuntimeKind::Python,
            "CPython 3.14.0",
            "0ca6c2bace9aebefd28b5f5f8fa872f9cba6549e50888e5cc5713b4c16d9fb3d",
            PYTHON,
        ),
        runtime(
            RuntimeKind::Javascript,
            "QuickJS-ng 0.16.2",
            "0bb91e09042f980901b5d7131c7ee446f91d433fe6dd4a46d8ce5eca5c10d2a2",
            JAVASCRIPT,
        ),
    ]
}

fn runtime(
    kind: RuntimeKind,
    name: &'static str,
    digest: &str,
    packed: &'static [u8],
) -> LanguageRuntime {
    let digest: Digest = digest.parse().expect("a digest, as the test below finds");
    LanguageRuntime {
        kind,
        name: Cow::Borrowed(name),
        digest,
        packed: Some(Cow::Borrowed(packed)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Hashing nine megabytes at every start would be a waste; here it is done once for all.
    #[test]
    fn names_lock_files_and_bytes_agree() {
        let locks = [
            include_str!("../../../runtimes/python/python.lock.json"),
            include_str!("../../../runtimes/javascript/javascript.lock.json"),
        ];
        for (runtime, lock) in shipped().iter().zip(locks) {
            let lock: Value = serde_json::from_str(lock).expect("a lock file is JSON");
            let packed = runtime.packed.as_deref().expect("it is shipped");
            assert_eq!(Digest::of(packed), runtime.digest, "{}", runtime.name);
            assert_eq!(lock["compressed"]["sha256"], runtime.digest.to_string());
            let engine = if lock["language"].is_object() {
                &lock["language"]
            } else {
                &lock["engine"]
            };
            let version = engine["version"].as_str().expect("a version");
            assert!(
                runtime.name.ends_with(version),
                "{} is {version}",
                runtime.name
            );
        }
    }
}
