//! The embedded default: everything below one data folder, no service.
//!
//! | below the data folder | holds |
//! |---|---|
//! | `journal.sqlite3` | orders and results |
//! | `holders/` | lock files of the processes that work on orders |
//! | `callback-keys` | the secrets that sign callbacks |
//! | `keys/` | the key that signs receipts, and whom to believe, see [`KeyFolder`] |
//! | `log.sqlite3` | the transparency log; receipts and full tiles are in `blobs/` |
//! | `blobs/` | everything content-addressed, see [`sre_da::LocalStore`] |
//!
//! Compiled programs are kept in the platform's cache folder and not here: they belong to the
//! machine and to no order, and compiling a language runtime takes long enough that all data
//! folders should share it.

mod data_folder;
mod error;
mod execute;
mod runtime;

pub use data_folder::{DataFolder, default_cache_folder, default_data_folder};
pub use error::EmbeddedError;
pub use execute::Executed;
pub use runtime::{Embedded, EmbeddedOptions, execute_skill_order};
