//! Blobs from several places, none of which is believed: whatever has another digest than was asked
//! for is passed over, with a warning that names the place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sre_core::{BlobDigest, ErrorCode};
use sre_da::{LocalReader, Source, StoreError, StoreErrorKind};

use super::http::{BLOB_LIMIT_BYTES, HttpPlace, NoAnswer, is_url};
use crate::client;
use crate::failure::Failure;

/// A read-only store over a bundle and any number of places, asked in this order.
#[derive(Default)]
pub struct Sources {
    bundle: BTreeMap<BlobDigest, Arc<[u8]>>,
    places: Vec<(Place, Mutex<Trouble>)>,
}

/// What a place did not answer.
#[derive(Debug, Default, Clone)]
pub struct Trouble {
    /// How often.
    pub count: u64,
    /// Why the last time.
    pub last: Option<NoAnswer>,
}

enum Place {
    /// A data folder of this program.
    Data(LocalReader, PathBuf),
    /// A folder of files that are named by their digest.
    Files(PathBuf),
    Http(HttpPlace),
}

impl Sources {
    /// Nothing but these blobs.
    pub fn new(bundle: BTreeMap<BlobDigest, Arc<[u8]>>) -> Self {
        Self {
            bundle,
            places: Vec::new(),
        }
    }

    /// What the places did not answer so far, all together.
    pub fn trouble(&self) -> Trouble {
        let mut all = Trouble::default();
        for (_, trouble) in &self.places {
            let trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
            all.count += trouble.count;
            all.last = trouble.last.clone().or(all.last);
        }
        all
    }

    /// Why a place refuses whoever asks here, if one does.
    pub fn refusal(&self) -> Option<NoAnswer> {
        let lasts = self
            .places
            .iter()
            .map(|(_, trouble)| trouble.lock().unwrap_or_else(PoisonError::into_inner));
        lasts
            .filter_map(|trouble| trouble.last.clone())
            .find(NoAnswer::is_refusal)
    }

    fn add_place(&mut self, place: Place) {
        self.places.push((place, Mutex::default()));
    }

    /// Also from this service.
    pub fn add_service(&mut self, place: HttpPlace) {
        self.add_place(Place::Http(place));
    }

    /// Also from there: an address of a service, a data folder, or a folder of files named by their
    /// digest.
    ///
    /// # Errors
    /// When it is none of these. No folder is made.
    pub fn add(&mut self, place: &str) -> Result<(), Failure> {
        if is_url(place) {
            self.add_service(HttpPlace::new(place)?.with_token(own_token(place)?, OWN_TOKEN_HINT));
            return Ok(());
        }
        if !Path::new(place).is_dir() {
            return Err(Failure::new(
                ErrorCode::SourceUnknown,
                format!("{place} is neither an http(s) address nor a folder"),
            ));
        }
        self.add_folder(Path::new(place))
    }

    /// Also from this data folder, or folder of files named by their digest.
    ///
    /// # Errors
    /// When there is a store in it that cannot be opened.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let blobs = folder.join("blobs");
        let store = [folder, &blobs]
            .into_iter()
            .find(|folder| folder.join("small.sqlite3").is_file());
        self.add_place(match store {
            Some(store) => Place::Data(open_store(store)?, folder.to_path_buf()),
            None if blobs.is_dir() => Place::Files(blobs),
            None => Place::Files(folder.to_path_buf()),
        });
        Ok(())
    }
}

/// Said where a service refuses.
const OWN_TOKEN_HINT: &str = "SRE_TOKEN or SRE_TOKEN_FILE holds the token for the service that SRE_SERVER names; it needs the scope `read`";

/// The token of the environment, where it belongs: to the service that SRE_SERVER names, and to no
/// stranger.
fn own_token(place: &str) -> Result<Option<String>, Failure> {
    let own = std::env::var("SRE_SERVER").unwrap_or_default();
    if own.trim_end_matches('/') == place.trim_end_matches('/') {
        return client::token(
            std::env::var_os("SRE_TOKEN_FILE")
                .map(PathBuf::from)
                .as_deref(),
        );
    }
    Ok(None)
}

/// Only to be read: it may be on a medium that cannot be written, and it is somebody else's.
fn open_store(folder: &Path) -> Result<LocalReader, Failure> {
    LocalReader::open(folder)
        .map_err(|error| Failure::new(ErrorCode::StoreFailed, error.to_string()))
}

impl Place {
    /// What it has under this digest, unchecked; or what kept it from answering.
    async fn get(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, NoAnswer> {
        match self {
            Self::Data(store, _) => match store.get(digest) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.to_string().into()),
            },
            Self::Files(folder) => Ok(read_file(&folder.join(digest.to_string()))?),
            Self::Http(place) => Ok(place.blob(digest).await?.map(Arc::from)),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Data(_, folder) | Self::Files(folder) => folder.display().to_string(),
            Self::Http(place) => place.address().to_owned(),
        }
    }
}

fn read_file(path: &Path) -> Result<Option<Arc<[u8]>>, String> {
    // To open a pipe is to wait for whoever writes into it.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(String::from("it is no file"));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(BLOB_LIMIT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() > BLOB_LIMIT_BYTES {
        Err(format!("longer than {BLOB_LIMIT_BYTES} bytes"))
    } else {
        Ok(Some(bytes.into()))
    }
}

#[async_trait]
impl Source for Sources {
    async fn fetch(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, StoreError> {
        if let Some(bytes) = self.bundle.get(&digest) {
            return Ok(Some(Arc::clone(bytes)));
        }
        for (place, trouble) in &self.places {
            match place.get(digest).await {
                Ok(None) => {}
                Ok(Some(bytes)) if BlobDigest::of(&bytes) == digest => return Ok(Some(bytes)),
                Ok(Some(_)) => {
                    tracing::warn!(place = place.name(), %digest, "other bytes than were asked for; passed over")
                }
                Err(error) => {
                    let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    // Once: a place that is away is away for every blob.
                    if trouble.count == 0 {
                        tracing::warn!(place = place.name(), %error, "no answer; passed over");
                    }
                    (trouble.count, trouble.last) = (trouble.count + 1, Some(error));
                }
            }
        }
        Ok(None)
    }

    fn place(&self) -> String {
        String::from("the bundle")
    }
}
