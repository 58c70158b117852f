//! Files and folders of one user that are written whole: keys, tokens, blobs, small state beside a
//! journal.
//!
//! Files have mode 0600, folders 0700. A file appears whole or not at all and is durable when the
//! call returns. [`LockFile`] tells processes apart that live and that have ended. The steps are a
//! trait ([`Disk`]), so that tests can let each of them fail. [`StorageCause`] names what kind of
//! failure a disk or a database reported.
//!
//! This crate decides no names and no limits, and reads nothing back.

mod disk;
mod failure;
mod lock;
mod private;

pub use disk::{Disk, OsDisk, create_folder, folder_of};
pub use failure::{StorageCause, advice, is_transient};
pub use lock::{LockFile, LockKind};
pub use private::{create_file, private_folder, replace_file};
