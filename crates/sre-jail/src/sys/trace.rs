//! Another process's memory, and stops where it becomes another program. For processes of the same jail only: no
//! capability is there that would reach further.

use std::io;
use std::mem;
use std::ptr;

use super::check;
use super::process::Pid;

/// Reads memory of a process; how many bytes could be read.
pub fn read_memory(process: Pid, address: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    let (count, call) = (1_u64, libc::SYS_process_vm_readv);
    // SAFETY: `here` is writable for its length; `there` is an address of the other process, which the kernel checks.
    let answer = unsafe { libc::syscall(call, process, &raw const here, count, &raw const there, count, 0_u64) };
    check(answer).map(|length| usize::try_from(length).unwrap_or(0))
}

/// Writes memory of a process; all of it, or an error.
pub fn write_memory(process: Pid, address: u64, bytes: &[u8]) -> io::Result<()> {
    let here = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    let (count, call) = (1_u64, libc::SYS_process_vm_writev);
    // SAFETY: `here` is readable for its length; `there` is an address of the other process, which the kernel checks.
    let answer = unsafe { libc::syscall(call, process, &raw const here, count, &raw const there, count, 0_u64) };
    match usize::try_from(check(answer)?) {
        Ok(length) if length == bytes.len() => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
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
    check(unsafe { libc::ptrace(libc::PTRACE_DETACH, thread, ptr::null_mut::<libc::c_void>(), signal) }).map(drop)
}

/// Where the stack of a stopped thread ends.
pub fn stack_pointer(thread: Pid) -> io::Result<u64> {
    const GENERAL_REGISTERS: usize = 1;
    // SAFETY: registers of zeroes are valid.
    let mut registers: libc::user_regs_struct = unsafe { mem::zeroed() };
    let room = size_of::<libc::user_regs_struct>();
    let mut into = libc::iovec { iov_base: (&raw mut registers).cast(), iov_len: room };
    let kind = GENERAL_REGISTERS as *mut libc::c_void;
    // SAFETY: `into` points to room for all general registers and outlives the call.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGSET, thread, kind, &raw mut into) })?;
    #[cfg(target_arch = "x86_64")]
    return Ok(registers.rsp);
    #[cfg(target_arch = "aarch64")]
    return Ok(registers.sp);
}
