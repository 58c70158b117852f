//! Starting the launcher, and starting it again when it is gone.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::jail::error::JailError;
use crate::jail::options::{JailOptions, LauncherProgram};
use crate::launcher::{self, MARKER};
use crate::message::{self, Message};
use crate::step::{Step, StepError};
use crate::sys::fd::{self, Waiting};
use crate::sys::{process, socket};

/// How long a launcher may take to be ready. Far more than it needs, so that it never decides on a
/// busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Holds the launcher of a [`Jail`](crate::Jail). Dropping it closes the socket, which ends the
/// launcher and every jail.
#[derive(Debug)]
pub struct Starter {
    options: JailOptions,
    launcher: Option<Launcher>,
    /// How many launchers there have been.
    count: u64,
}

#[derive(Debug)]
struct Launcher {
    socket: OwnedFd,
    process: OwnedFd,
    unrepeatable: Option<String>,
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // It ends when the socket is closed; this is for one that hangs.
        drop(process::kill(self.process.as_fd()));
    }
}

impl Starter {
    pub fn new(options: JailOptions) -> Self {
        Self {
            options,
            launcher: None,
            count: 0,
        }
    }

    pub fn pid(&self) -> Option<i32> {
        process::number(self.launcher.as_ref()?.process.as_fd())
    }

    /// Starts a launcher unless there is one that lives.
    pub fn ensure(&mut self) -> Result<(), JailError> {
        if !self.is_alive() {
            self.launcher = None;
            self.launcher = Some(start(&self.options).map_err(JailError::Launcher)?);
            self.count += 1;
        }
        Ok(())
    }

    /// Why guests cannot have worlds of their own here, as the launcher found.
    pub fn unrepeatable(&self) -> Option<&str> {
        self.launcher.as_ref()?.unrepeatable.as_deref()
    }

    /// Whether the launcher still holds its end.
    pub fn is_alive(&self) -> bool {
        let Some(launcher) = &self.launcher else {
            return false;
        };
        // It never writes on this socket after the start, so anything that happens on it is its
        // end.
        let mut waiting = [Waiting::to_read(&launcher.socket)];
        fd::poll(&mut waiting, 0).is_ok() && !waiting[0].happened()
    }

    /// Whether the launcher of this number still holds its end.
    pub fn is_alive_as(&self, number: u64) -> bool {
        self.count == number && self.is_alive()
    }

    /// Hands a run to the launcher. Returns that one's number.
    pub fn send(&mut self, kind: u8, passed: &[BorrowedFd<'_>]) -> Result<u64, JailError> {
        self.ensure()?;
        let Some(launcher) = &self.launcher else {
            return Err(JailError::LauncherDied);
        };
        let sent = socket::send(launcher.socket.as_fd(), &[kind], passed);
        sent.map_err(JailError::host("sending the order to the launcher"))?;
        Ok(self.count)
    }

    /// Gives up a launcher that does not answer.
    pub fn give_up(&mut self) {
        self.launcher = None;
    }
}

/// Takes hold of the starter; a thread that panicked with it has left it whole.
pub fn lock(starter: &Mutex<Starter>) -> MutexGuard<'_, Starter> {
    starter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(options: &JailOptions) -> Result<Launcher, StepError> {
    let (ours, theirs) = socket::socket_pair().step("a socket pair")?;
    let mut command = match &options.launcher {
        LauncherProgram::ThisProgram if !launcher::may_start_this_program() => {
            let why = "this program cannot be started as one: call sre_jail::enter_if_asked() first in main, or name \
                       another program";
            return Err(StepError::new("choosing the program", why));
        }
        LauncherProgram::ThisProgram => Command::new("/proc/self/exe"),
        LauncherProgram::Other { path, arguments } => {
            let mut command = Command::new(path);
            command.args(arguments);
            command
        }
    };
    // An own standard input and nothing else: this process does not fork, the standard library uses
    // `posix_spawn`.
    command
        .env_clear()
        .env(MARKER, options.root.to_marker())
        .current_dir("/");
    command
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut first_stage = command.spawn().step("starting the program")?;
    drop(command);
    let ready = wait_until_ready(&ours);
    end(&mut first_stage, ready.is_err());
    let (process, unrepeatable) = ready?;
    Ok(Launcher {
        process,
        socket: ours,
        unrepeatable,
    })
}

/// The first stage ends by itself once the launcher proper is there; one that failed might not.
fn end(first_stage: &mut Child, failed: bool) {
    if failed {
        drop(first_stage.kill());
    }
    drop(first_stage.wait());
}

fn wait_until_ready(socket: &OwnedFd) -> Result<(OwnedFd, Option<String>), StepError> {
    let mut process = None;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StepError::new(
                "waiting for the launcher",
                format!("no answer within {START_LIMIT:?}"),
            ));
        }
        let mut waiting = [Waiting::to_read(socket)];
        fd::poll(
            &mut waiting,
            i32::try_from(left.as_millis()).unwrap_or(i32::MAX),
        )
        .step("waiting for the launcher")?;
        if !waiting[0].happened() {
            continue;
        }
        let mut buffer = vec![0; message::LIMIT_BYTES];
        let (length, mut passed) =
            socket::receive(socket.as_fd(), &mut buffer).step("hearing from the launcher")?;
        if length == 0 {
            return Err(StepError::new(
                "waiting for the launcher",
                "it ended without a word",
            ));
        }
        match (
            message::parse(&buffer[..length]).step("understanding the launcher")?,
            process.take(),
        ) {
            (Message::Started, _) => process = passed.pop(),
            (Message::Ready(unrepeatable), Some(process)) => return Ok((process, unrepeatable)),
            (Message::Failed(error), _) => return Err(error),
            (other, _) => {
                return Err(StepError::new(
                    "waiting for the launcher",
                    format!("it said {other:?}"),
                ));
            }
        }
    }
}
