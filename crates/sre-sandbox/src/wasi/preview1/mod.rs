//! WASI preview 1 (`wasi_snapshot_preview1`), all 46 functions.
//!
//! Source: the witx of WASI snapshot 1. There are no sockets.

mod descriptors;
mod directory;
mod errno;
mod fd;
mod filestat;
mod memory;
mod path;
mod poll;
mod process;
mod transfer;

pub(super) use descriptors::Descriptors;

use errno::{Errno, Fault};
use memory::GuestMemory;
use wasmtime::{Caller, Extern, Linker};

use super::Guest;

/// The import module of preview 1.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

type Answer = Result<(), Fault>;

/// Runs one call: an errno goes back to the guest, a halt ends it.
fn call(
    caller: &mut Caller<'_, Guest>,
    name: &'static str,
    function: impl FnOnce(&mut GuestMemory<'_>, &mut Guest) -> Answer,
) -> wasmtime::Result<u32> {
    note(caller, name)?;
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => {
                caller.data_mut().memory = Some(memory);
                memory
            }
            _ => return Ok(Errno::Inval as u32),
        },
    };
    let (bytes, guest) = memory.data_and_store_mut(caller);
    match function(&mut GuestMemory(bytes), guest) {
        Ok(()) => Ok(Errno::Success as u32),
        Err(Fault::Errno(errno)) => Ok(errno as u32),
        Err(Fault::Halt(halt)) => Err(wasmtime::Error::new(halt)),
    }
}

/// Tells the recorder about a call.
fn note(caller: &Caller<'_, Guest>, name: &'static str) -> wasmtime::Result<()> {
    let recorder = &caller.data().machine.recorder;
    if recorder.is_on() {
        let left = caller.get_fuel()?;
        recorder.note(|trace| trace.note_call(name, left));
    }
    Ok(())
}

macro_rules! functions {
    ($linker:ident, $($name:ident($($argument:ident: $type:ty),*) => $function:path;)*) => {$(
        $linker.func_wrap(
            MODULE,
            stringify!($name),
            |mut caller: Caller<'_, Guest>, $($argument: $type),*| {
                call(&mut caller, concat!("wasi_snapshot_preview1.", stringify!($name)), |memory, guest| $function(memory, guest, $($argument),*))
            },
        )?;
    )*};
}

/// Offers preview 1 to modules linked with `linker`.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    functions! { linker,
        args_get(pointers: u32, bytes: u32) => process::args_get;
        args_sizes_get(count: u32, size: u32) => process::args_sizes_get;
        environ_get(pointers: u32, bytes: u32) => process::environ_get;
        environ_sizes_get(count: u32, size: u32) => process::environ_sizes_get;
        clock_res_get(id: u32, out: u32) => process::clock_res_get;
        clock_time_get(id: u32, precision: u64, out: u32) => process::clock_time_get;
        random_get(bytes: u32, length: u32) => process::random_get;
        proc_raise(signal: u32) => process::proc_raise;
        sched_yield() => process::sched_yield;
        poll_oneoff(subscriptions: u32, events: u32, count: u32, out: u32) => poll::poll_oneoff;
        fd_advise(fd: u32, offset: u64, length: u64, advice: u32) => fd::advise;
        fd_allocate(fd: u32, offset: u64, length: u64) => fd::allocate;
        fd_close(fd: u32) => fd::close;
        fd_datasync(fd: u32) => fd::sync;
        fd_sync(fd: u32) => fd::sync;
        fd_fdstat_get(fd: u32, out: u32) => fd::fdstat_get;
        fd_fdstat_set_flags(fd: u32, flags: u32) => fd::fdstat_set_flags;
        fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) => fd::fdstat_set_rights;
        fd_filestat_get(fd: u32, out: u32) => filestat::filestat_get;
        fd_filestat_set_size(fd: u32, size: u64) => filestat::filestat_set_size;
        fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32) => filestat::filestat_set_times;
        fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, out: u32) => transfer::pread;
        fd_prestat_get(fd: u32, out: u32) => directory::prestat_get;
        fd_prestat_dir_name(fd: u32, path: u32, length: u32) => directory::prestat_dir_name;
        fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, out: u32) => transfer::pwrite;
        fd_read(fd: u32, iovs: u32, count: u32, out: u32) => transfer::read;
        fd_readdir(fd: u32, buffer: u32, length: u32, cookie: u64, out: u32) => directory::readdir;
        fd_renumber(from: u32, to: u32) => fd::renumber;
        fd_seek(fd: u32, offset: i64, whence: u32, out: u32) => transfer::seek;
        fd_tell(fd: u32, out: u32) => transfer::tell;
        fd_write(fd: u32, iovs: u32, count: u32, out: u32) => transfer::write;
        path_create_directory(fd: u32, path: u32, length: u32) => path::create_directory;
        path_filestat_get(fd: u32, flags: u32, path: u32, length: u32, out: u32) => path::filestat_get;
        path_filestat_set_times(fd: u32, flags: u32, path: u32, length: u32, atim: u64, mtim: u64, which: u32)
            => path::filestat_set_times;
        path_link(fd: u32, flags: u32, old: u32, old_length: u32, to: u32, new: u32, new_length: u32) => path::link;
        path_open(
            fd: u32, dirflags: u32, path: u32, length: u32, oflags: u32, rights: u64, inheriting: u64, fdflags: u32,
            out: u32
        ) => path::open;
        path_readlink(fd: u32, path: u32, length: u32, buffer: u32, size: u32, out: u32) => path::readlink;
        path_remove_directory(fd: u32, path: u32, length: u32) => path::remove_directory;
        path_rename(fd: u32, old: u32, old_length: u32, to: u32, new: u32, new_length: u32) => path::rename;
        path_symlink(old: u32, old_length: u32, fd: u32, new: u32, new_length: u32) => path::symlink;
        path_unlink_file(fd: u32, path: u32, length: u32) => path::unlink_file;
        sock_accept(fd: u32, flags: u32, out: u32) => process::sock_accept;
        sock_recv(fd: u32, iovs: u32, count: u32, flags: u32, out: u32, out_flags: u32) => process::sock_recv;
        sock_send(fd: u32, iovs: u32, count: u32, flags: u32, out: u32) => process::sock_send;
        sock_shutdown(fd: u32, how: u32) => process::sock_shutdown;
    }
    linker.func_wrap(
        MODULE,
        "proc_exit",
        |caller: Caller<'_, Guest>, code: u32| -> wasmtime::Result<()> {
            note(&caller, "wasi_snapshot_preview1.proc_exit")?;
            Err(wasmtime::Error::new(process::exit(caller.data(), code)))
        },
    )?;
    Ok(())
}
