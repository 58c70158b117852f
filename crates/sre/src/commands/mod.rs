//! What each command does. A command returns how the process ends, or why it has nothing to print.

mod audit;
mod bundle;
mod client;
mod client_files;
mod connect;
mod determinism;
mod doctor;
mod key;
mod lost_files;
mod manual;
mod operate;
mod requirements;
mod requirements_file;
mod run;
mod serve;
mod skill_check;
mod skill_inspect;
mod skill_new;
mod skill_pack;
mod tlog;
mod tlog_cosign;
mod upload;
mod verify;
mod verify_file;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sre_core::ErrorCode;
use sre_durable::folder_of;
use sre_orchestrator::EmbeddedOptions;
use sre_sandbox::wasm::CompilationNotice;

#[cfg(target_os = "linux")]
use sre_sandbox::native::{JailOptions, Layer, NativeOptions, Root};

use crate::cli::{Cli, Command, ConfigArgs, Global, SkillCommand};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Progress;

/// Does what the command line asks.
///
/// # Errors
/// When there is nothing to print; see each command.
pub fn dispatch(cli: Cli, progress: &Progress) -> Result<Exit, Failure> {
    let Cli { command, global } = cli;
    match command {
        Command::Run(args) => run::run(*args, &global, progress),
        Command::Verify(args) => verify::verify(&args, &global, progress),
        Command::Bundle(args) => bundle::bundle(&args, &global),
        Command::Key(command) => key::key(command, &global),
        Command::Tlog(command) => tlog::tlog(&command, &global),
        Command::Watch(args) => watch::watch(&args, &global, progress),
        Command::Audit(args) => audit::audit(&args, &global, progress),
        Command::Determinism(args) => determinism::determinism(*args, &global, progress),
        Command::DeterminismProbe => determinism::probe(),
        Command::Doctor => doctor::doctor(&global, progress),
        Command::Skill(SkillCommand::Check(args)) => skill_check::check(&args, &global, progress),
        Command::Skill(SkillCommand::Inspect(args)) => skill_inspect::inspect(&args, &global),
        Command::Skill(SkillCommand::Pack(args)) => skill_pack::pack(&args, &global, progress),
        Command::Skill(SkillCommand::New(args)) => skill_new::new(&args, &global),
        Command::Serve(args) => serve::serve(args, &global, progress),
        Command::Submit(args) => client::submit(*args, &global, progress),
        Command::Status(args) => client::status(&args, &global),
        Command::Result(args) => client::result(&args, &global, progress),
        Command::Files(args) => client_files::files(&args, &global, progress),
        Command::Cancel(args) => client::cancel(&args, &global),
        Command::List(args) => client::list(&args, &global),
        Command::Logs(args) => client::logs(&args, &global),
        Command::Redeliver(args) => client::redeliver(&args, &global),
        Command::Token(args) => operate::token(&args, &global),
        Command::Config(command) => operate::config(&command, &global),
        Command::Gc(args) => operate::gc(&args, &global),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { output } => manual::man(output.as_deref()),
    }
}

/// How commands that run guests build the sandbox.
fn embedded(global: &Global, progress: &Progress) -> EmbeddedOptions {
    EmbeddedOptions {
        program: Some(String::from(crate::receipts::PROGRAM)),
        cache_folder: global.cache_folder(),
        notice: Some(notice(progress)),
        #[cfg(target_os = "linux")]
        native: native(global),
        ..EmbeddedOptions::default()
    }
}

/// How native skills run, if they are allowed.
#[cfg(target_os = "linux")]
fn native(global: &Global) -> Option<NativeOptions> {
    let may_lack = global
        .native_without
        .iter()
        .filter_map(|name| Layer::from_name(name))
        .collect();
    let warm_jails = global.native_warm.map_or(0, usize::from);
    global.allow_native.then(|| NativeOptions {
        root: native_root(global.native_root.as_deref()),
        may_lack,
        warm_jails,
        images_folder: images_folder(global),
        ..NativeOptions::default()
    })
}

/// The jail that `sre doctor` makes.
#[cfg(target_os = "linux")]
fn native_options(global: &Global) -> Result<JailOptions, String> {
    let named = native_root(global.native_root.as_deref());
    let root = sre_sandbox::native::resolve(&named, images_folder(global).as_deref())?.root;
    Ok(JailOptions {
        root,
        ..JailOptions::default()
    })
}

/// Where images are unpacked.
fn images_folder(global: &Global) -> Option<PathBuf> {
    global.cache_folder().map(|cache| cache.join("images"))
}

#[cfg(target_os = "linux")]
fn native_root(folder: Option<&Path>) -> Root {
    match folder {
        Some(folder) => {
            Root::Folder(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
        }
        None => Root::Host,
    }
}

/// Says what takes so long at the first script on a machine.
fn notice(progress: &Progress) -> CompilationNotice {
    let progress = progress.clone();
    Arc::new(move |runtime| {
        progress.update(&format!(
            "compiling {} for this machine, which happens once",
            runtime.name
        ));
    })
}

/// Whether this name of an output means standard output.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Writes a file that the user asked for: whole, or not at all.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        // A pipe or a device is written to, and never replaced.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return std::fs::write(path, bytes);
        }
        let folder = folder_of(path);
        std::fs::metadata(folder)?;
        // Without the name of the temporary file, which the user did not choose.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| error.kind())?;
        file.write_all(bytes)?;
        file.persist(path).map(drop).map_err(|failed| failed.error)
    };
    write().map_err(|error| {
        Failure::new(
            ErrorCode::OutputFailed,
            format!("cannot write {}: {error}", path.display()),
        )
    })
}

/// The runtime of commands that run guests.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                ErrorCode::NoThreads,
                format!("cannot start threads: {error}"),
            )
        })
}

/// The settings of the service.
fn service_config(args: &ConfigArgs) -> Result<Config, Failure> {
    Config::read(args.config.as_deref(), std::env::vars_os(), &args.set)
}
