//! `sre:sandbox/permissions`: the executable bit of files.

use super::Guest;
use super::bindings::sre::sandbox::permissions;

impl permissions::Host for Guest {
    fn is_executable(&mut self, path: String) -> wasmtime::Result<bool> {
        Ok(self.machine.files.is_executable(&path).unwrap_or(false))
    }

    fn set_executable(&mut self, path: String, executable: bool) -> wasmtime::Result<bool> {
        let now = self.machine.clock.realtime_ns()?;
        let done = self.machine.files.set_executable(&path, executable, now);
        Ok(done.is_ok())
    }
}
