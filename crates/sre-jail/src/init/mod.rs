//! The first process of a jail: builds what the guest sees, confines a copy of itself, and waits.
//!
//! | file | holds |
//! |---|---|
//! | `view` | mounts, package, names: what the guest sees |
//! | `confine` | capabilities, limits, Landlock, filter: what it may do |
//! | `landlock` | the second layer over the files |
//! | `world` | time and randomness of its own, for guests that are given one |
//!
//! It has every capability inside the jail's user namespace while it builds, none afterwards, and none outside at any
//! time. The guest is its child, number 2, so that signals and orphans behave as anywhere; when this process ends, the
//! kernel ends all others.

mod confine;
mod landlock;
mod view;
mod world;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::launcher::serve::Shared;
use crate::measure;
use crate::message::{self, Usage};
use crate::order::{GUEST_ID, Order, PACKAGE_FOLDER};
use crate::step::{Step, StepError};
use crate::sys::fd::{self, Waiting};
use crate::sys::process::{self, Forked};
use crate::sys::{file, socket};
use crate::wire;

use world::World;

/// The descriptors that came with an order.
pub struct Seed {
    /// Where to tell what happens.
    pub control: OwnedFd,
    /// The order itself.
    pub order: OwnedFd,
    /// Standard input of the guest.
    pub stdin: OwnedFd,
    /// Standard output of the guest.
    pub stdout: OwnedFd,
    /// Standard error of the guest.
    pub stderr: OwnedFd,
    /// Files of version 1 cgroups to enter by writing to them.
    pub cgroups: Vec<OwnedFd>,
}

/// Never returns. The host learns everything from the control socket.
pub fn run(seed: &Seed, id: u32, shared: &Shared) -> ! {
    let ended = prepare(seed, id, shared).and_then(|started| match started.world {
        Some(world) => run_in_world(world, started.held, seed, shared),
        None => started.held.map_or(Ok(()), |held| held.release(seed, shared)).map(|()| wait_for_guest()),
    });
    let usage = match ended {
        Ok(usage) => usage,
        Err(error) => {
            drop(socket::send(seed.control.as_fd(), &message::failure(&error), &[]));
            process::exit(1)
        }
    };
    drop(socket::send(seed.control.as_fd(), &message::ended(&usage), &[]));
    process::exit(0)
}

/// A guest that has started.
struct Started {
    world: Option<World>,
    held: Option<Held>,
}

/// Answers the guest's calls to its end, and in between, if it is held, gives it its order.
fn run_in_world(mut world: World, held: Option<Held>, seed: &Seed, shared: &Shared) -> Result<Usage, StepError> {
    if let Some(held) = held {
        if let Some(usage) = world.run(&seed.control, Some(&seed.control))? {
            return Ok(usage);
        }
        if let Some(told) = held.carry_out(seed, shared)?.world {
            world.begin_again(&told);
        }
    }
    world.run(&seed.control, None).map(Option::unwrap_or_default)
}

fn prepare(seed: &Seed, id: u32, shared: &Shared) -> Result<Started, StepError> {
    // The launcher's descriptors were copied with it; of these, none must be left.
    let files = [&seed.control, &seed.order, &seed.stdin, &seed.stdout, &seed.stderr];
    let mut kept: Vec<_> = files.into_iter().chain(&seed.cgroups).map(AsRawFd::as_raw_fd).collect();
    kept.sort_unstable();
    fd::close_all_from(0, &kept).step("closing what is not its own")?;
    map_user(id).step("the user map of the jail")?;

    for cgroup in &seed.cgroups {
        // 0 is the writer. Written by the process itself, this takes no global lock.
        fd::write_all(cgroup.as_fd(), b"0").step("entering the cgroup")?;
    }
    let entered = std::fs::read_to_string("/proc/self/cgroup").step("reading the cgroups")?;
    process::unshare(libc::CLONE_NEWCGROUP).step("a cgroup namespace")?;
    process::new_session().step("a session of its own")?;
    process::become_user(GUEST_ID, GUEST_ID).step("becoming the guest's user")?;
    process::set_dumpable(true).step("owning its own /proc entries")?;

    let (order, is_held) = read_order(&seed.order)?;
    let view::Built { package, devices } = view::build(&order, is_held, shared.newest_first)?;
    let (gate, opens_gate) = is_held.then(fd::pipe).transpose().step("a pipe")?.unzip();
    confine::limits(&order.limits)?;
    process::set_no_new_privileges().step("no new privileges")?;
    process::drop_capabilities().step("dropping capabilities")?;

    let world = order.world.is_some().then(socket::socket_pair).transpose().step("a socket pair")?;
    process::set_dumpable(false).step("hiding from the guest")?;
    process::ignore_children(false).step("default signals")?;
    match process::fork_into(0, None).step("the guest's process (clone3)")? {
        Forked::Child => {
            let hands_over = world.map(|(_, theirs)| theirs);
            let error = become_guest(seed, &order, shared, &entered, gate.as_ref(), hands_over.as_ref());
            drop(socket::send(seed.control.as_fd(), &message::failure(&error), &[]));
            process::exit(127)
        }
        Forked::Parent(_, guest) => {
            let held = package.zip(opens_gate).map(|(package, opens_gate)| Held { package, opens_gate, guest });
            // Before all others are closed by number: this one would be closed twice.
            drop(gate);
            let ours = world.map(|(ours, theirs)| {
                drop(theirs);
                ours
            });
            close_the_guests(seed, held.as_ref(), ours.as_ref(), devices.as_ref())?;
            let world = match (ours, devices, &order.world) {
                (Some(ours), Some(devices), Some(told)) => take_over(&ours)?
                    .map(|listener| {
                        World::new(listener, devices, told, order.limits.memory_bytes, shared.kernel_time_bytes)
                    })
                    .transpose()?,
                _ => None,
            };
            Ok(Started { world, held })
        }
    }
}

/// What the guest reads and writes must end when the guest ends, not when this process does.
fn close_the_guests(
    seed: &Seed,
    held: Option<&Held>,
    world: Option<&OwnedFd>,
    devices: Option<&OwnedFd>,
) -> Result<(), StepError> {
    let mut kept = vec![seed.control.as_raw_fd()];
    kept.extend(held.iter().flat_map(|held| [&held.package, &held.opens_gate, &held.guest]).map(AsRawFd::as_raw_fd));
    kept.extend(world.into_iter().chain(devices).map(AsRawFd::as_raw_fd));
    kept.sort_unstable();
    fd::close_all_from(0, &kept).step("closing the guest's files")
}

/// Receives where the guest's calls wait; `None` if it failed before, which it has told.
fn take_over(from: &OwnedFd) -> Result<Option<OwnedFd>, StepError> {
    let (_, mut passed) = socket::receive(from.as_fd(), &mut [0; 8]).step("taking over the guest's calls")?;
    Ok(passed.pop())
}

/// The guest's user inside is the one outside that the launcher acted as when it made this process.
fn map_user(id: u32) -> std::io::Result<()> {
    // Without this the entries in `/proc` would not be its own.
    process::set_dumpable(true)?;
    let map = format!("{GUEST_ID} {id} 1");
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", &map)?;
    std::fs::write("/proc/self/gid_map", &map)
}

/// A guest that has started and waits at its gate for the order it is to carry out.
struct Held {
    /// The package's place, writable.
    package: OwnedFd,
    /// What the guest reads from.
    opens_gate: OwnedFd,
    guest: OwnedFd,
}

impl Held {
    /// Waits for the order, writes its package and lets the guest go on.
    fn release(self, seed: &Seed, shared: &Shared) -> Result<(), StepError> {
        let mut waiting = [Waiting::to_read(&seed.control), Waiting::to_read(&self.guest)];
        while !waiting.iter().any(Waiting::happened) {
            fd::poll(&mut waiting, -1).step("waiting for an order")?;
        }
        if !waiting[0].happened() {
            // It ended while it was waiting; how is told as ever.
            return Ok(());
        }
        self.carry_out(seed, shared).map(drop)
    }

    /// Receives the order that has come.
    fn carry_out(self, seed: &Seed, shared: &Shared) -> Result<Order, StepError> {
        let (length, mut passed) = socket::receive(seed.control.as_fd(), &mut [0; 8]).step("receiving an order")?;
        let (1.., Some(file)) = (length, passed.pop()) else {
            // Nobody needs this jail any more.
            process::exit(0);
        };
        let (order, _) = read_order(&file)?;
        view::fill(&self.package, &order, shared.newest_first)?;
        drop(self.package);
        let mut told = Vec::new();
        for argument in &order.arguments {
            told.extend_from_slice(argument.as_bytes());
            told.push(0);
        }
        for (name, value) in &order.environment {
            told.extend_from_slice(format!("\0{name}={value}").as_bytes());
        }
        // A guest that is gone does not read: how it ended is told as ever.
        drop(fd::write_all(self.opens_gate.as_fd(), &told));
        Ok(order)
    }
}

fn read_order(file: &OwnedFd) -> Result<(Order, bool), StepError> {
    let bytes = file::whole(file.as_fd()).step("reading the order")?;
    wire::decode(&bytes).step("reading the order")
}

/// Confines this process and becomes the guest; returns only if that failed.
fn become_guest(
    seed: &Seed,
    order: &Order,
    shared: &Shared,
    entered: &str,
    gate: Option<&OwnedFd>,
    hands_over: Option<&OwnedFd>,
) -> StepError {
    match confined(seed, order, shared, entered, gate, hands_over) {
        Ok(never) => never,
        Err(error) => error,
    }
}

fn confined(
    seed: &Seed,
    order: &Order,
    shared: &Shared,
    entered: &str,
    gate: Option<&OwnedFd>,
    hands_over: Option<&OwnedFd>,
) -> Result<StepError, StepError> {
    let texts = |texts: &mut dyn Iterator<Item = String>| -> Result<Vec<CString>, StepError> {
        texts.map(|text| CString::new(text).map_err(|_| StepError::new("arguments", "a zero byte in a text"))).collect()
    };
    let program = texts(&mut [order.program.clone()].into_iter())?;
    let arguments = texts(&mut order.arguments.iter().cloned())?;
    let environment = texts(&mut order.environment.iter().map(|(name, value)| format!("{name}={value}")))?;

    process::new_session().step("a session of its own")?;
    std::env::set_current_dir(PACKAGE_FOLDER).step("entering the package")?;
    process::set_file_mask(0o022);
    process::fix_addresses().step("fixed addresses")?;
    landlock::restrict()?;
    match hands_over {
        None => crate::sys::seccomp::install(&shared.filter).step("the system call filter")?,
        Some(to) => {
            // Whoever answers its calls must be able to write the answers.
            process::set_dumpable(true).step("letting calls be answered")?;
            let filter = &shared.repeatable_filter;
            let listener = crate::sys::seccomp::install_with_listener(filter).step("the system call filter")?;
            socket::send(to.as_fd(), &[1], &[listener.as_fd()]).step("handing over its calls")?;
        }
    }

    // The last thing before the guest: look at ourselves, and go on only if everything holds.
    let found = measure::look_around(entered).step("measuring what holds")?;
    measure::Measured::parse(&found).check().map_err(|why| StepError::new("measuring what holds", why))?;
    socket::send(seed.control.as_fd(), &message::measured(&found), &[]).step("telling what holds")?;

    // A held guest finds its gate at 3. Copied first, so that no original is overwritten before its turn.
    let standard: [BorrowedFd<'_>; 3] = [seed.stdin.as_fd(), seed.stdout.as_fd(), seed.stderr.as_fd()];
    let all = standard.into_iter().chain(gate.map(AsFd::as_fd));
    let copies: Vec<OwnedFd> = all
        .map(|file| fd::duplicate_above(file, 10))
        .collect::<std::io::Result<_>>()
        .step("standard input and output")?;
    for (number, file) in copies.iter().map(AsFd::as_fd).enumerate() {
        fd::place(file, i32::try_from(number).unwrap_or(0)).step("standard input and output")?;
    }
    let error = process::execute(&program[0], &arguments, &environment);
    Ok(Err::<(), _>(error).step(format_args!("starting {}", order.program)).expect_err("an error"))
}

/// Waits for the guest, and on the way for everything that lost its parent.
fn wait_for_guest() -> Usage {
    const GUEST: process::Pid = 2;
    let mut usage = Usage::default();
    loop {
        let Ok(ended) = process::wait_any() else { return usage };
        usage.cpu_us += ended.cpu_us;
        usage.peak_resident_bytes = usage.peak_resident_bytes.max(ended.peak_resident_bytes);
        if ended.pid == GUEST {
            usage.status = ended.status;
            return usage;
        }
    }
}
