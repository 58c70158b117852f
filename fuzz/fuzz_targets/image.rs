//! Any bytes as the index and manifest of an image, and as its layers in every format, laid over
//! each other. Whatever is accepted lies within the image, each name in a folder.
#![no_main]

use std::io::Read as _;

use libfuzzer_sys::fuzz_target;
use sre_sandbox::native::image::{Format, Node, Tree, parse_index, parse_manifest, read_layer};

const LIMIT_BYTES: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    drop(parse_index("index.json", data));
    drop(parse_manifest("the manifest", data));
    // Two layers, so that the second meets what the first has left.
    let (lower, upper) = data.split_at(data.len() / 2 / 512 * 512);
    for format in [Format::Plain, Format::Gzip, Format::Zstd] {
        let mut tree = Tree::default();
        for layer in [lower, upper] {
            let Ok(reader) = format.reader(layer) else {
                continue;
            };
            let mut keep =
                |content: &mut dyn std::io::Read| std::io::copy(content, &mut std::io::sink());
            let Ok(changes) = read_layer("a layer", reader.take(LIMIT_BYTES), 0, &mut keep) else {
                continue;
            };
            drop(tree.apply(changes));
        }
        for (path, _) in tree.nodes() {
            assert!(
                !path.is_empty()
                    && path
                        .split(|&byte| byte == b'/')
                        .all(|part| !matches!(part, b"" | b"." | b".."))
            );
            if let Some(end) = path.iter().rposition(|&byte| byte == b'/') {
                assert_eq!(tree.get(&path[..end]), Some(&Node::Folder), "{path:?}");
            }
        }
    }
});
