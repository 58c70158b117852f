//! Index, manifest and configuration: which layers an image has.

use serde::Deserialize;

use super::layer::Format;
use super::{ImageError, LAYERS_LIMIT};

/// Something that a document refers to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its kind.
    pub media_type: String,
    /// Its digest, `sha256:` and 64 digits.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u64,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Configuration {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: String,
    diff_ids: Vec<String>,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The configuration, which has the digests of the decompressed layers.
    pub configuration: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<(Descriptor, Format)>,
}

/// What an index refers to: an image, or another index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// An image.
    Manifest(Descriptor),
    /// An index of images for several machines.
    Index(Descriptor),
}

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// This machine, as the specification names it.
const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else {
    "arm64"
};

impl Descriptor {
    fn fits(&self) -> bool {
        self.platform
            .as_ref()
            .is_none_or(|own| own.os == "linux" && own.architecture == ARCHITECTURE)
    }
}

fn read<'a, T: Deserialize<'a>>(document: &str, bytes: &'a [u8]) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|error| ImageError::document(document, error.to_string()))
}

fn check_version(document: &str, version: u64) -> Result<(), ImageError> {
    if version == 2 {
        return Ok(());
    }
    Err(ImageError::document(
        document,
        format!("schemaVersion is {version}, and only 2 is known"),
    ))
}

/// The one image of an index that fits this machine.
///
/// # Errors
/// [`ImageError::Document`] unless there is exactly one.
pub fn parse_index(document: &str, bytes: &[u8]) -> Result<Chosen, ImageError> {
    let index: Index = read(document, bytes)?;
    check_version(document, index.schema_version)?;
    let known = |kind: &str| INDEXES.contains(&kind) || MANIFESTS.contains(&kind);
    let mut fitting = index
        .manifests
        .into_iter()
        .filter(|found| known(&found.media_type) && found.fits());
    let chosen = fitting.next().ok_or_else(|| {
        ImageError::document(
            document,
            format!("it has no image for linux/{ARCHITECTURE}"),
        )
    })?;
    if let Some(other) = fitting.next() {
        let why = format!(
            "it has several images for this machine, {} and {} among them",
            chosen.digest, other.digest
        );
        return Err(ImageError::document(
            document,
            format!("{why}; name a layout with one"),
        ));
    }
    Ok(if INDEXES.contains(&&*chosen.media_type) {
        Chosen::Index(chosen)
    } else {
        Chosen::Manifest(chosen)
    })
}

/// Configuration and layers of an image.
///
/// # Errors
/// [`ImageError::Document`] with the first thing that is wrong.
pub fn parse_manifest(document: &str, bytes: &[u8]) -> Result<Image, ImageError> {
    let manifest: Manifest = read(document, bytes)?;
    check_version(document, manifest.schema_version)?;
    if manifest.layers.is_empty() {
        return Err(ImageError::document(document, "it has no layers"));
    }
    if manifest.layers.len() > LAYERS_LIMIT {
        return Err(ImageError::TooLarge(format!("{LAYERS_LIMIT} layers")));
    }
    let format = |layer: Descriptor| match Format::of(&layer.media_type) {
        Some(format) => Ok((layer, format)),
        None => Err(ImageError::document(
            document,
            format!("a layer is {:?}, which is not known", layer.media_type),
        )),
    };
    let layers = manifest
        .layers
        .into_iter()
        .map(format)
        .collect::<Result<_, _>>()?;
    Ok(Image {
        configuration: manifest.config,
        layers,
    })
}

/// The digests of the decompressed layers.
///
/// # Errors
/// [`ImageError::Document`] when there are more or fewer than layers.
pub fn parse_configuration(
    document: &str,
    bytes: &[u8],
    layers: usize,
) -> Result<Vec<String>, ImageError> {
    let Configuration { rootfs } = read(document, bytes)?;
    if rootfs.kind != "layers" || rootfs.diff_ids.len() != layers {
        let why = format!(
            "rootfs has {} diff_ids of kind {:?} for {layers} layers",
            rootfs.diff_ids.len(),
            rootfs.kind
        );
        return Err(ImageError::document(document, why));
    }
    Ok(rootfs.diff_ids)
}
