//! The tree on disk.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::blob::{self, Hashing, parse_digest};
use super::layer::read_layer;
use super::layout::{Chosen, Descriptor, parse_configuration, parse_index, parse_manifest};
use super::tree::{Node, Tree};
use super::{DOCUMENT_LIMIT_BYTES, ImageError, UNPACKED_LIMIT_BYTES};
use crate::native::root;
use crate::private::{check_unwritable, make_private};

/// Whether a folder is an image layout and not a root file system.
#[must_use]
pub fn is_layout(folder: &Path) -> bool {
    folder.join("oci-layout").is_file()
}

/// Unpacks the image of a layout below `images`, unless it is there already; the root folder, and
/// the digest of its tree.
///
/// # Errors
/// See [`ImageError`]. Nothing but the whole tree ever has the name that is looked for.
pub fn unpack(layout: &Path, images: &Path) -> Result<(PathBuf, String), ImageError> {
    unpack_within(layout, images, UNPACKED_LIMIT_BYTES)
}

/// The same with a limit of its own on the bytes of all layers, decompressed.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_within(
    layout: &Path,
    images: &Path,
    limit_bytes: u64,
) -> Result<(PathBuf, String), ImageError> {
    let manifest = choose(layout)?;
    let name = format!("sha256-{}", parse_digest("index.json", &manifest.digest)?);
    let place = images.join(name);
    // Digest and tree stand side by side: anyone who could write here could change both.
    make_private(images).map_err(ImageError::io(images))?;
    if !place.exists() {
        let staging = tempfile::Builder::new()
            .prefix(".unpacking-")
            .tempdir_in(images)
            .map_err(ImageError::io(images))?;
        write(layout, &manifest, staging.path(), limit_bytes)?;
        match fs::rename(staging.path(), &place) {
            Ok(()) => drop(staging.keep()),
            // Another process was faster, with the same bytes.
            Err(_) if place.exists() => {}
            Err(error) => {
                return Err(ImageError::Io {
                    path: place,
                    source: error,
                });
            }
        }
    }
    check_unwritable(&place).map_err(ImageError::io(&place))?;
    let (folder, noted) = (place.join("root"), place.join("tree"));
    let expected = fs::read_to_string(&noted).map_err(ImageError::io(noted))?;
    let found = root::digest(&folder).map_err(ImageError::io(&folder))?;
    if found == expected {
        Ok((folder, found))
    } else {
        Err(ImageError::Changed(place))
    }
}

/// The manifest of the image that fits this machine.
fn choose(layout: &Path) -> Result<Descriptor, ImageError> {
    let path = layout.join("index.json");
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(ImageError::io(&path))?;
    file.take(DOCUMENT_LIMIT_BYTES)
        .read_to_end(&mut bytes)
        .map_err(ImageError::io(path))?;
    match parse_index("index.json", &bytes)? {
        Chosen::Manifest(manifest) => Ok(manifest),
        Chosen::Index(inner) => match parse_index(&inner.digest, &blob::document(layout, &inner)?)?
        {
            Chosen::Manifest(manifest) => Ok(manifest),
            Chosen::Index(_) => Err(ImageError::document(
                &inner.digest,
                "it is an index of indexes of indexes",
            )),
        },
    }
}

/// Writes root folder and digest into a new folder.
fn write(
    layout: &Path,
    manifest: &Descriptor,
    staging: &Path,
    limit_bytes: u64,
) -> Result<(), ImageError> {
    let image = parse_manifest(&manifest.digest, &blob::document(layout, manifest)?)?;
    let configuration = blob::document(layout, &image.configuration)?;
    let expected = parse_configuration(
        &image.configuration.digest,
        &configuration,
        image.layers.len(),
    )?;
    let mut contents = Contents {
        folder: staging.join("content"),
        count: 0,
    };
    make_folder(&contents.folder)?;
    let (mut tree, mut left, mut entries) = (Tree::default(), limit_bytes, 0);
    for ((layer, format), expected) in image.layers.iter().zip(&expected) {
        let (file, path) = blob::open(layout, layer)?;
        let reader = format.reader(file).map_err(ImageError::io(&path))?;
        let mut limited = Hashing::new(reader.take(left + 1));
        let changes = read_layer(&layer.digest, &mut limited, entries, &mut |content| {
            contents.keep(content)
        });
        // Beyond the last entry of an archive there is padding, which has been hashed too.
        let padding = io::copy(&mut limited, &mut io::sink());
        left = left
            .checked_sub(limited.count())
            .ok_or_else(|| ImageError::TooLarge(format!("{limit_bytes} bytes, decompressed")))?;
        let changes = changes?;
        padding.map_err(ImageError::io(path))?;
        let found = limited.digest();
        if parse_digest("the configuration", expected)? != found {
            let why = format!("decompressed, its digest is sha256:{found} and not {expected}");
            return Err(ImageError::Tampered {
                digest: layer.digest.clone(),
                why,
            });
        }
        entries += changes.len();
        tree.apply(changes)
            .map_err(|(path, why)| ImageError::Entry {
                layer: layer.digest.clone(),
                path: String::from_utf8_lossy(&path).into_owned(),
                why,
            })?;
    }
    let folder = staging.join("root");
    build(&tree, &contents, &folder)?;
    fs::remove_dir_all(&contents.folder).map_err(ImageError::io(&contents.folder))?;
    let digest = root::digest(&folder).map_err(ImageError::io(&folder))?;
    let noted = staging.join("tree");
    fs::write(&noted, digest).map_err(ImageError::io(noted))
}

fn make_folder(path: &Path) -> Result<(), ImageError> {
    let made = DirBuilder::new().create(path);
    // Whatever this process's mask is: the launcher may be another user.
    made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
        .map_err(ImageError::io(path))
}

/// Makes every folder, file and link. Every folder on the way is one that was made here.
fn build(tree: &Tree, contents: &Contents, folder: &Path) -> Result<(), ImageError> {
    make_folder(folder)?;
    for (path, node) in tree.nodes() {
        let place = folder.join(OsStr::from_bytes(path));
        match node {
            Node::Folder => make_folder(&place)?,
            Node::Link(target) => {
                symlink(OsStr::from_bytes(target), &place).map_err(ImageError::io(&place))?
            }
            Node::File {
                content,
                executable,
            } => {
                let mode = Permissions::from_mode(if *executable { 0o755 } else { 0o644 });
                let kept = contents.path(*content);
                let placed =
                    fs::hard_link(&kept, &place).and_then(|()| fs::set_permissions(&place, mode));
                placed.map_err(ImageError::io(&place))?;
            }
        }
    }
    Ok(())
}

/// The contents of files, by number, until they have their places.
struct Contents {
    folder: PathBuf,
    count: u64,
}

impl Contents {
    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    fn keep(&mut self, content: &mut dyn Read) -> io::Result<u64> {
        let number = self.count;
        self.count += 1;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(self.path(number))?;
        io::copy(content, &mut file)?;
        Ok(number)
    }
}
