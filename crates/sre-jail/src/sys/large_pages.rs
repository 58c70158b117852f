//! Pages of memory files.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use super::check_int;

/// What the kernel calls a huge page, in bytes, on both architectures with pages of 4 KiB. Where it
/// is another size, it refuses.
const LARGE_PAGE_BYTES: usize = 2 << 20;

/// Asks the kernel to keep a memory file (`memfd_create(2)`) in pages of 2 MiB instead of 4 KiB, as
/// far as whole ones fit. What is in it stays, and so do all its mappings, whichever process reads or writes
/// there meanwhile. A process that maps the file in small pieces afterwards has less work: the kernel
/// keeps its books once for 512 small pages. Takes some 20 ms for 32 MiB.
///
/// # Errors
/// `EINVAL` where the kernel cannot do that (before Linux 6.1, or compiled without huge pages, or
/// for another kind of file), `EAGAIN` or `EBUSY` where some page cannot be moved now, `ENOMEM`
/// where there is no large page. Then some of the file may be in large pages.
pub fn enlarge_pages(file: &File) -> io::Result<()> {
    let length =
        usize::try_from(file.metadata()?.len()).unwrap_or(0) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
    if length == 0 {
        return Ok(());
    }
    // The kernel wants a mapping in which large pages would fit: one that begins at a multiple of
    // their size.
    let area = Area::reserve(length + LARGE_PAGE_BYTES)?;
    let start = area
        .start
        .wrapping_add(area.start.align_offset(LARGE_PAGE_BYTES));
    let (protection, kind) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_FIXED);
    // SAFETY: `start` and what follows lie in `area`, which no other code knows and which is longer
    // by one large page.
    let mapped = unsafe { libc::mmap(start, length, protection, kind, file.as_raw_fd(), 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: this range has just been mapped. The advice changes where the kernel keeps bytes,
    // never what they are.
    check_int(unsafe { libc::madvise(start, length, libc::MADV_COLLAPSE) }).map(drop)
}

/// Addresses for this alone, given back at the end.
struct Area {
    start: *mut libc::c_void,
    length: usize,
}

impl Area {
    fn reserve(length: usize) -> io::Result<Self> {
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: the kernel chooses addresses that are free.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { start, length })
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the area is ours, and no reference into it was ever made. It cannot fail for a
        // range that was mapped.
        unsafe { libc::munmap(self.start, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::super::fd;
    use super::*;

    #[test]
    fn what_is_in_a_file_survives_larger_pages() {
        let file = File::from(fd::memory_file("pages").expect("a memory file"));
        // Three large pages and a half, no two small ones alike.
        let bytes: Vec<u8> = (0..(7_u32 << 20) / 4)
            .flat_map(|index| index.wrapping_mul(0x9E37_79B9).to_le_bytes())
            .collect();
        file.write_all_at(&bytes, 0).expect("room in memory");
        match enlarge_pages(&file) {
            Ok(()) => {}
            Err(error) => eprintln!("this host keeps small pages: {error}"),
        }
        let mut after = vec![0; bytes.len()];
        file.read_exact_at(&mut after, 0).expect("the file");
        assert!(after == bytes, "the content has changed");
        assert_eq!(file.metadata().expect("a size").len(), bytes.len() as u64);
    }

    #[test]
    fn what_holds_no_large_page_is_left_alone() {
        let small = File::from(fd::memory_file("small").expect("a memory file"));
        small.set_len(LARGE_PAGE_BYTES as u64 - 1).expect("a size");
        enlarge_pages(&small).expect("there is nothing to do");
    }

    #[test]
    fn what_cannot_be_mapped_is_refused() {
        let (reader, _writer) = fd::pipe().expect("a pipe");
        enlarge_pages(&File::from(reader)).expect("a pipe has no size");
        let file = fd::memory_file("write-only").expect("a memory file");
        File::from(file.try_clone().expect("a copy"))
            .set_len(4 << 20)
            .expect("a size");
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let write_only = File::options()
            .write(true)
            .open(path)
            .expect("the same file");
        let refused = enlarge_pages(&write_only).expect_err("it may not be read");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
