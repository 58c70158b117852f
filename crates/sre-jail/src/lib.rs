//! Runs one untrusted process in a Linux jail and says what held it.
//!
//! A jail is a set of namespaces with a root folder of its own, no capability, a system call
//! filter, Landlock, limits per process and per cgroup. [`Jail::run`] makes one, runs one [`ProcessSpec`]
//! in it, takes it down and returns a [`Report`]: how the guest ended, what it printed and used,
//! and what was measured from inside to hold it.
//!
//! | module | holds |
//! |---|---|
//! | [`spec`] | what to run, with which limits |
//! | [`jail`] | the host's side: launcher, groups, one run after the other or many at once |
//! | [`launcher`] | the small process that makes jails |
//! | `init` | the first process of a jail |
//! | `seccomp` | which system calls a guest may make |
//! | [`cgroup`] | limits for all processes of a jail together |
//! | [`measure`] | what a jail's process sees of itself before it becomes the guest |
//! | [`host`] | what this host can enforce |
//! | `sys` | system calls, one safe function each: the only unsafe code |
//!
//! Besides, [`enlarge_pages`]: a system call of the WebAssembly backend, here because no other
//! crate makes any.
//!
//! It knows nothing of skills, and it decides no policy: an order that this host cannot hold is
//! refused, unless the caller named what may be missing ([`JailOptions::may_lack`]). Linux 5.14 or
//! later, x86-64 or 64-bit ARM; elsewhere this crate is empty.

#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

pub mod cgroup;
pub mod host;
mod init;
pub mod jail;
pub mod launcher;
mod left_files;
pub mod measure;
mod message;
mod seccomp;
pub mod spec;
mod step;
#[expect(
    unsafe_code,
    reason = "system calls; this crate exists so that no other needs to make any"
)]
mod sys;
mod wire;

pub use jail::{Ending, Held, Jail, JailError, JailOptions, LauncherProgram, Output, Report};
pub use launcher::{Root, enter_if_asked};
pub use left_files::LeftFiles;
pub use measure::Measured;
pub use spec::{
    ClockAndSeed, File, GUEST_ID, HOME_FOLDER, Limits, PACKAGE_FOLDER, ProcessSpec,
    WORKSPACE_FOLDER, WritableContent, WritableFile, WritableFiles,
};
pub use step::StepError;
pub use sys::large_pages::enlarge_pages;
#[doc(hidden)]
pub use wire::fuzz_decode;
