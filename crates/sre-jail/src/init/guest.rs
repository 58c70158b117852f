//! The guest's process, from the fork to its own program.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Seed, landlock};
use crate::launcher::serve::Shared;
use crate::spec::ProcessSpec;
use crate::step::{Step, StepError};
use crate::sys::{fd, process, seccomp, socket};
use crate::{measure, message};

/// What the process needs to become the guest.
pub(super) struct Guest<'a> {
    pub seed: &'a Seed,
    pub spec: &'a ProcessSpec,
    pub shared: &'a Shared,
    /// The cgroups it was put into, as `/proc/self/cgroup` told them.
    pub cgroups: &'a str,
    /// Where a guest that is held waits for its order.
    pub gate: Option<&'a OwnedFd>,
    /// Where to hand over its system calls, for a guest in a world of its own.
    pub hands_over: Option<&'a OwnedFd>,
}

impl Guest<'_> {
    /// Confines this process and becomes the guest. What fails is told to the host.
    pub fn start(&self) -> ! {
        let Err(error) = self.execute();
        drop(socket::send(
            self.seed.control.as_fd(),
            &message::failure(&error),
            &[],
        ));
        process::exit(127)
    }

    fn execute(&self) -> Result<Infallible, StepError> {
        let ProcessSpec {
            program,
            arguments,
            environment,
            ..
        } = self.spec;
        let arguments = arguments
            .iter()
            .map(|argument| text(argument))
            .collect::<Result<Vec<_>, _>>()?;
        let environment = environment
            .iter()
            .map(|(name, value)| text(&format!("{name}={value}")))
            .collect::<Result<Vec<_>, _>>()?;
        self.confine()?;
        self.tell_what_holds()?;
        self.place_files()?;
        let error = process::execute(&text(program)?, &arguments, &environment);
        Err(error).step(format_args!("starting {program}"))
    }

    fn confine(&self) -> Result<(), StepError> {
        process::new_session().step("a session of its own")?;
        std::env::set_current_dir(self.spec.working_folder).step("entering the working folder")?;
        process::set_file_mask(0o022);
        process::fix_addresses().step("fixed addresses")?;
        landlock::restrict()?;
        let Some(to) = self.hands_over else {
            return seccomp::install(&self.shared.filter).step("the system call filter");
        };
        // The process that answers its calls must be able to write the answers.
        process::set_dumpable(true).step("letting calls be answered")?;
        let filter = &self.shared.repeatable_filter;
        let listener = seccomp::install_with_listener(filter).step("the system call filter")?;
        socket::send(to.as_fd(), &[1], &[listener.as_fd()]).step("handing over its calls")
    }

    /// The last thing before the guest: looks at itself, and goes on only if everything holds.
    fn tell_what_holds(&self) -> Result<(), StepError> {
        let found = measure::look_around(self.cgroups).step("measuring what holds")?;
        measure::Measured::parse(&found)
            .check()
            .map_err(|why| StepError::new("measuring what holds", why))?;
        socket::send(self.seed.control.as_fd(), &message::measured(&found), &[])
            .step("telling what holds")
    }

    /// Standard input, output and error; a held guest finds its gate at 3.
    fn place_files(&self) -> Result<(), StepError> {
        let standard = [&self.seed.stdin, &self.seed.stdout, &self.seed.stderr];
        let files = standard.into_iter().chain(self.gate).map(AsFd::as_fd);
        // Copied first, so that no original is overwritten before its turn.
        let copies: Vec<OwnedFd> = files
            .map(|file: BorrowedFd<'_>| fd::duplicate_above(file, 10))
            .collect::<std::io::Result<_>>()
            .step("standard input and output")?;
        for (number, file) in (0..).zip(&copies) {
            fd::place(file.as_fd(), number).step("standard input and output")?;
        }
        Ok(())
    }
}

fn text(text: &str) -> Result<CString, StepError> {
    CString::new(text).map_err(|_| StepError::new("arguments", "a zero byte in a text"))
}
