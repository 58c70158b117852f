//! Blobs from several places, none of which is believed: bytes that have another digest than was
//! asked for are skipped, with a warning that names the place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sre_core::BlobDigest;
use sre_da::{LocalReader, Source, StoreError, StoreErrorKind};

use crate::client::Client;
use crate::error::ClientError;
use crate::request::ANSWER_LIMIT_BYTES;

/// A read-only store over a bundle and any number of places, asked in this order.
#[derive(Default)]
pub struct Sources {
    bundle: BTreeMap<BlobDigest, Arc<[u8]>>,
    places: Vec<(Place, Mutex<SourceErrors>)>,
}

/// What the places failed to answer.
#[derive(Debug, Default, Clone)]
pub struct SourceErrors {
    /// How often.
    pub count: u64,
    /// Why the last time.
    pub last: Option<ClientError>,
}

enum Place {
    /// A data folder of this program.
    Data(LocalReader, PathBuf),
    /// A folder of files that are named by their digest.
    Files(PathBuf),
    Http(Client),
}

impl Sources {
    /// Nothing but these blobs.
    #[must_use]
    pub fn new(bundle: BTreeMap<BlobDigest, Arc<[u8]>>) -> Self {
        Self {
            bundle,
            places: Vec::new(),
        }
    }

    /// What the places failed to answer so far, all together.
    #[must_use]
    pub fn errors(&self) -> SourceErrors {
        let mut all = SourceErrors::default();
        for (_, errors) in &self.places {
            let errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
            all.count += errors.count;
            all.last = errors.last.clone().or(all.last);
        }
        all
    }

    /// What a place says that asks for another token, if one does.
    #[must_use]
    pub fn refusal(&self) -> Option<ClientError> {
        let lasts = self
            .places
            .iter()
            .map(|(_, errors)| errors.lock().unwrap_or_else(PoisonError::into_inner));
        lasts
            .filter_map(|errors| errors.last.clone())
            .find(ClientError::is_forbidden)
    }

    fn add_place(&mut self, place: Place) {
        self.places.push((place, Mutex::default()));
    }

    /// Also from this service.
    pub fn add_service(&mut self, service: Client) {
        self.add_place(Place::Http(service));
    }

    /// Also from this data folder, or folder of files named by their digest.
    ///
    /// # Errors
    /// When there is a store in it that cannot be opened.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), StoreError> {
        let blobs = folder.join("blobs");
        let store = [folder, &blobs]
            .into_iter()
            .find(|folder| folder.join("small.sqlite3").is_file());
        self.add_place(match store {
            // Read only: it may be on a medium that cannot be written, and another node may own it.
            Some(store) => Place::Data(LocalReader::open(store)?, folder.to_path_buf()),
            None if blobs.is_dir() => Place::Files(blobs),
            None => Place::Files(folder.to_path_buf()),
        });
        Ok(())
    }
}

impl Place {
    /// What it has under this digest, unchecked; or what kept it from answering.
    async fn get(&self, digest: BlobDigest) -> Result<Option<Arc<[u8]>>, ClientError> {
        match self {
            Self::Data(store, _) => match store.get(digest) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(None),
                Err(error) => Err(ClientError::Unreachable(error.to_string())),
            },
            Self::Files(folder) => {
                read_file(&folder.join(digest.to_string())).map_err(ClientError::Unreachable)
            }
            Self::Http(client) => Ok(client.blob(digest).await?.map(Arc::from)),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Data(_, folder) | Self::Files(folder) => folder.display().to_string(),
            Self::Http(client) => client.address().to_string(),
        }
    }
}

fn read_file(path: &Path) -> Result<Option<Arc<[u8]>>, String> {
    // Opening a pipe waits for its writer.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(String::from("it is not a file"));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(ANSWER_LIMIT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() > ANSWER_LIMIT_BYTES {
        Err(format!("longer than {ANSWER_LIMIT_BYTES} bytes"))
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
        for (place, errors) in &self.places {
            match place.get(digest).await {
                Ok(None) => {}
                Ok(Some(bytes)) if BlobDigest::of(&bytes) == digest => return Ok(Some(bytes)),
                Ok(Some(_)) => {
                    tracing::warn!(place = place.name(), %digest, "other bytes than were asked for; skipped")
                }
                Err(error) => {
                    let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
                    // Once: a place that does not answer answers for no blob.
                    if errors.count == 0 {
                        tracing::warn!(place = place.name(), %error, "no answer; skipped");
                    }
                    (errors.count, errors.last) = (errors.count + 1, Some(error));
                }
            }
        }
        Ok(None)
    }

    fn place(&self) -> String {
        String::from("the bundle")
    }
}
