//! Memory images: what a program's memory holds before its first instruction, as a file in memory
//! that every instance maps.
//!
//! An instance writes to a few of the image's pages and reads a few more; the kernel maps each at
//! its first touch and forgets them all at the end. For CPython, whose image is 33 MiB, this is
//! nearly half of a brief run. It is much less where the file consists of large pages, since then
//! the kernel counts users once for 512 pages and finds them side by side. wasmtime makes the file
//! of small ones; [`Images`] has those enlarged that are used often.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a program's image is tried to be made, and the pause between two attempts.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Runs after which images are enlarged; again after twice as many, and so on, for programs that
/// came later and for pages that could not be moved. It takes tens of milliseconds, which a command
/// that runs one order does not have.
const FIRST_AFTER_RUNS: u64 = 32;

/// Makes the image of a program, now rather than in its first run, and patiently. The kernel seals
/// it only while no other process holds one of its pages, waits 150 ms for that, and gives up (EBUSY); a
/// machine that is short of memory moves pages all the time. Where that does not help, the first
/// run tries once more, and says why it cannot start.
pub(super) fn make(make: impl Fn() -> wasmtime::Result<()>) {
    for _ in 0..ATTEMPTS {
        match make() {
            Err(error) if is_busy(&error) => std::thread::sleep(PAUSE),
            _ => return,
        }
    }
}

fn is_busy(error: &wasmtime::Error) -> bool {
    let busy = |cause: &io::Error| cause.kind() == io::ErrorKind::ResourceBusy;
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(busy))
}

/// The images that the programs of one machine run on.
#[derive(Debug, Default)]
pub(super) struct Images {
    runs: AtomicU64,
}

impl Images {
    /// Notes a run. Now and then it has images enlarged, on a thread of its own.
    pub(super) fn note_run(&self) {
        let runs = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if runs >= FIRST_AFTER_RUNS && runs.is_power_of_two() {
            #[cfg(target_os = "linux")]
            large::enlarge_in_background();
        }
    }
}

#[cfg(target_os = "linux")]
mod large {
    use std::fs::{self, File};
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// What wasmtime calls its files. If it called them something else, they would stay as they
    /// are.
    const NAME: &[u8] = b"/memfd:wasm-memory-image";

    /// Images below this size, in bytes, are left alone: there is little to gain.
    const SMALLEST_BYTES: u64 = 4 << 20;

    /// Whether a thread is at it. The files are the whole process's, whichever machine made them.
    static BUSY: AtomicBool = AtomicBool::new(false);

    pub(super) fn enlarge_in_background() {
        if BUSY.swap(true, Ordering::Acquire) {
            return;
        }
        let work = || {
            enlarge_all();
            BUSY.store(false, Ordering::Release);
        };
        if std::thread::Builder::new()
            .name(String::from("sre-image"))
            .spawn(work)
            .is_err()
        {
            BUSY.store(false, Ordering::Release);
        }
    }

    /// Enlarges the pages of all images of this process; says how many there are, and how many of
    /// them are large now.
    pub(super) fn enlarge_all() -> (usize, usize) {
        let (mut found, mut enlarged) = (0, 0);
        for entry in fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .flatten()
        {
            let Some(image) = open_image(&entry.path()) else {
                continue;
            };
            found += 1;
            match sre_jail::enlarge_pages(&image) {
                Ok(()) => enlarged += 1,
                // The kernel is too old, or memory too scattered: slower, and otherwise the same.
                Err(error) => tracing::debug!(%error, "a memory image stays in small pages"),
            }
        }
        (found, enlarged)
    }

    /// The image behind a descriptor of this process, if it is one. If others close it meanwhile
    /// and open something else, that is opened once more, for reading, and not read.
    fn open_image(descriptor: &Path) -> Option<File> {
        if !fs::read_link(descriptor)
            .ok()?
            .as_os_str()
            .as_encoded_bytes()
            .starts_with(NAME)
        {
            return None;
        }
        let image = File::open(descriptor).ok()?;
        (image.metadata().ok()?.len() >= SMALLEST_BYTES).then_some(image)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    const IMAGE_BYTES: usize = 6 << 20;

    #[test]
    fn an_image_is_found_and_holds_in_large_pages_what_it_held() {
        let text = "sre-".repeat(IMAGE_BYTES / 4);
        let module =
            format!(r#"(module (memory (export "memory") 192) (data (i32.const 0) "{text}"))"#);
        let engine = Engine::default();
        let binary = wat::parse_str(module).expect("a module");
        let module = Module::from_binary(&engine, &binary).expect("a module");
        make(|| module.initialize_copy_on_write_image());
        let mut store = Store::new(&engine, ());
        let before = Instance::new(&mut store, &module, &[]).expect("an instance");
        let written = before.get_memory(&mut store, "memory").expect("a memory");
        written.data_mut(&mut store)[4096] = b'!';

        let (found, enlarged) = large::enlarge_all();
        assert!(found >= 1, "wasmtime's images have another name now");
        eprintln!("{enlarged} of {found} images are in large pages");

        assert_eq!(
            written.data(&store)[4096],
            b'!',
            "an instance keeps what it wrote"
        );
        let after = Instance::new(&mut store, &module, &[]).expect("an instance");
        let memory = after.get_memory(&mut store, "memory").expect("a memory");
        assert!(
            memory.data(&store)[..IMAGE_BYTES] == *text.as_bytes(),
            "the image has changed"
        );
        assert_eq!(memory.data(&store)[IMAGE_BYTES], 0);
    }
}
