//! The executable bit. Paths begin at the virtual root; links are followed.

use super::file_system::FileSystem;
use super::node::{FileError, NodeId, NodeKind};
use super::storage::ROOT;

impl FileSystem {
    /// Whether the file at `path` may be executed; false for a folder.
    pub(crate) fn is_executable(&self, path: &str) -> Result<bool, FileError> {
        let is_executable = match self.lookup(ROOT, path.trim_start_matches('/'), true)? {
            NodeId::Package(node) => self.package.node(node).executable,
            NodeId::Memory(node) => self.storage.get(node)?.executable,
        };
        self.recorder
            .record_response("executable", &[u8::from(is_executable)]);
        Ok(is_executable)
    }

    /// Says whether the file at `path` may be executed. A folder stays what it is.
    pub(crate) fn set_executable(
        &mut self,
        path: &str,
        executable: bool,
        now_ns: u64,
    ) -> Result<(), FileError> {
        let node = self.lookup(ROOT, path.trim_start_matches('/'), true)?;
        if self.kind(node)? == NodeKind::Directory {
            return Ok(());
        }
        self.storage.set_executable(node, executable, now_ns)
    }
}
