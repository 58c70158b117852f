//! Image layouts, good and bad, made on disk.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use sre_core::Digest;
use sre_sandbox::native::{Root, resolve};
use tar::{Builder, EntryType, Header};

pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layer that is being made. Paths are written as they stand, tricks and all.
pub struct Made(Builder<Vec<u8>>);

impl Made {
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn entry(
        mut self,
        kind: EntryType,
        path: &str,
        link: &str,
        mode: u32,
        content: &[u8],
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).expect("an entry");
        self
    }

    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, path, "", 0o755, content)
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, 0o777, b"")
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("an archive")
    }
}

/// A layout on disk.
pub struct Layout {
    folder: tempfile::TempDir,
}

impl Layout {
    /// With these layers: media type's end, what the archive is.
    pub fn new(layers: &[(&str, Vec<u8>)]) -> Self {
        let layout = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir_all(layout.path().join("blobs/sha256")).expect("a folder");
        fs::write(
            layout.path().join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .expect("a file");
        let diff_ids: Vec<String> = layers
            .iter()
            .map(|(_, tar)| format!("sha256:{}", Digest::of(tar)))
            .collect();
        let descriptors: Vec<Value> = layers
            .iter()
            .map(|(format, tar)| layout.blob(&format!("{LAYER}{format}"), &packed(format, tar)))
            .collect();
        let configuration = json!({"rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let configuration =
            layout.json_blob("application/vnd.oci.image.config.v1+json", &configuration);
        let manifest = json!({"schemaVersion": 2, "config": configuration, "layers": descriptors});
        layout.index(&[layout.json_blob(MANIFEST, &manifest)]);
        layout
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn blob(&self, kind: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.path().join(format!("blobs/sha256/{digest}")), bytes).expect("a blob");
        json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    }

    pub fn json_blob(&self, kind: &str, value: &Value) -> Value {
        self.blob(kind, value.to_string().as_bytes())
    }

    pub fn index(&self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(self.path().join("index.json"), index.to_string()).expect("a file");
    }

    pub fn index_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path().join("index.json")).expect("a file"))
            .expect("JSON")
    }

    pub fn manifest(&self) -> Value {
        let digest = self.index_json()["manifests"][0]["digest"]
            .as_str()
            .expect("a digest")
            .to_owned();
        let path = self
            .path()
            .join("blobs/sha256")
            .join(digest.trim_start_matches("sha256:"));
        serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
    }

    pub fn unpack(&self, images: &Path) -> Result<PathBuf, String> {
        match resolve(&Root::Folder(self.path().into()), Some(images))?.root {
            Root::Folder(folder) => Ok(folder),
            Root::Host => Err(String::from("the host's")),
        }
    }
}

pub fn packed(format: &str, tar: &[u8]) -> Vec<u8> {
    match format {
        "+gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(tar).expect("memory");
            encoder.finish().expect("memory")
        }
        "+zstd" => compress_to_vec(tar, CompressionLevel::Fastest),
        _ => tar.to_vec(),
    }
}
