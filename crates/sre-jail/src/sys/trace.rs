//! Another process's memory, and stops where it becomes another program. For processes of the same
//! jail only: no capability is there that would reach further.

use std::fs::OpenOptions;
use std::io;
use std::mem;
use std::os::unix::fs::FileExt;
use std::ptr;

use super::check;
use super::process::Pid;

/// Reads memory of a process; how many bytes could be read.
pub fn read_memory(process: Pid, address: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let here = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let there = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: bytes.len(),
    };
    let (count, call) = (1_u64, libc::SYS_process_vm_readv);
    // SAFETY: `here` is writable for its length; `there` is an address of the other process, which
    // the kernel checks.
    let answer = unsafe {
        libc::syscall(
            call,
            process,
            &raw const here,
            count,
            &raw const there,
            count,
            0_u64,
        )
    };
    check(answer).map(|length| usize::try_from(length).unwrap_or(0))
}

/// Writes memory of a process; all of it, or an error.
pub fn write_memory(process: Pid, address: u64, bytes: &[u8]) -> io::Result<()> {
    let here = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let there = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: bytes.len(),
    };
    let (count, call) = (1_u64, libc::SYS_process_vm_writev);
    // SAFETY: `here` is readable for its length; `there` is an address of the other process, which
    // the kernel checks.
    let answer = unsafe {
        libc::syscall(
            call,
            process,
            &raw const here,
            count,
            &raw const there,
            count,
            0_u64,
        )
    };
    match usize::try_from(check(answer)?) {
        Ok(length) if length == bytes.len() => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}

/// Writes memory of a stopped thread that is attached to, also where it may not write itself: into
/// its own copy of a page of code. All of it, or an error.
pub fn write_code(thread: Pid, address: u64, bytes: &[u8]) -> io::Result<()> {
    let memory = OpenOptions::new()
        .write(true)
        .open(format!("/proc/{thread}/mem"))?;
    memory.write_all_at(bytes, address)
}

/// Attaches to a thread without stopping it; it will stop when it has become another program.
pub fn stop_at_exec(thread: Pid) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACEEXEC as usize as *mut libc::c_void;
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: attaching takes numbers; no memory is touched.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, thread, none, options) }).map(drop)
}

/// Lets go of a stopped thread, with a signal to be delivered to it or 0.
pub fn detach(thread: Pid, signal: i32) -> io::Result<()> {
    let signal = usize::try_from(signal).unwrap_or(0) as *mut libc::c_void;
    // SAFETY: detaching takes numbers; no memory is touched.
    check(unsafe {
        libc::ptrace(
            libc::PTRACE_DETACH,
            thread,
            ptr::null_mut::<libc::c_void>(),
            signal,
        )
    })
    .map(drop)
}

/// The general registers of a stopped thread.
#[derive(Clone, Copy)]
pub struct Registers(libc::user_regs_struct);

impl Registers {
    /// Reads them.
    pub fn of(thread: Pid) -> io::Result<Self> {
        // SAFETY: registers of zeroes are valid.
        let mut registers = Self(unsafe { mem::zeroed() });
        let length = registers.exchange(thread, false)?;
        // Programs for 32 bits have others.
        if length == size_of::<Self>() {
            Ok(registers)
        } else {
            Err(io::Error::other("registers of another kind"))
        }
    }

    /// Writes them.
    pub fn write(mut self, thread: Pid) -> io::Result<()> {
        self.exchange(thread, true).map(drop)
    }

    fn exchange(&mut self, thread: Pid, is_write: bool) -> io::Result<usize> {
        const GENERAL: usize = 1;
        let request = if is_write {
            libc::PTRACE_SETREGSET
        } else {
            libc::PTRACE_GETREGSET
        };
        let mut room = libc::iovec {
            iov_base: (&raw mut self.0).cast(),
            iov_len: size_of::<Self>(),
        };
        let kind = GENERAL as *mut libc::c_void;
        // SAFETY: `room` points to all general registers, as both requests want, and outlives the
        // call.
        check(unsafe { libc::ptrace(request, thread, kind, &raw mut room) })?;
        Ok(room.iov_len)
    }

    /// Where the stack ends.
    pub const fn stack_pointer(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        return self.0.rsp;
        #[cfg(target_arch = "aarch64")]
        return self.0.sp;
    }

    /// Which instruction is next.
    #[cfg(target_arch = "x86_64")]
    pub const fn next_instruction(&mut self) -> &mut u64 {
        &mut self.0.rip
    }

    /// Which instruction is next.
    #[cfg(target_arch = "aarch64")]
    pub const fn next_instruction(&mut self) -> &mut u64 {
        &mut self.0.pc
    }
}
