//! `sre watch`: flags and exit codes of the verifier node, which is `sre-watch`.

mod report;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sre_core::ErrorCode;
use sre_orchestrator::{AddressPolicy, DataFolder, Embedded, HttpCallback, Network};
use sre_watch::{
    Challenges, LogFault, WatchError, WatchFolders, WatchObserver, WatchOptions, follow, look_once,
};

use super::connect;
use crate::cli::{Global, TrustedRuntime, WatchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress};
use crate::receipts;

/// Follows another node until it is stopped, or once.
///
/// # Errors
/// When the executor cannot be read (with `--once`) or misbehaves, or this node's own folder cannot
/// be used.
pub fn watch(args: &WatchArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let options = options(args, global, progress)?;
    let runtime = super::runtime()?;
    let ended = runtime.block_on(async {
        let look = async {
            if args.once {
                return look_once(&options).await;
            }
            match follow(&options, Duration::from_secs_f64(args.period)).await {
                Ok(never) => match never {},
                Err(error) => Err(error),
            }
        };
        tokio::select! {
            ended = look => ended.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    progress.clear();
    let Some((state, waiting)) =
        ended.map_err(|error| failure(error, options.executor.address()))?
    else {
        return Ok(Exit::Success);
    };
    output::stdout(report::described(args, &state, waiting, global.format).as_bytes())?;
    Ok(state.worst().map_or(Exit::Success, Exit::Verdict))
}

fn options(
    args: &WatchArgs,
    global: &Global,
    progress: &Progress,
) -> Result<WatchOptions, Failure> {
    let folder = global.data_folder()?;
    let mut embedded = super::embedded(global, progress);
    embedded.trusted_runtimes = args
        .trusted_runtimes
        .iter()
        .map(TrustedRuntime::named)
        .collect();
    let embedded = Embedded::new(folder.clone(), embedded)?;
    Ok(WatchOptions {
        executor: connect::node(&args.executor, connect::token(args.token_file.as_deref())?)?,
        share: args.share,
        keys: args.keys.clone(),
        challenges: challenges(args, &folder)?,
        program: String::from(receipts::PROGRAM),
        folders: WatchFolders {
            watch: folder.path().join("watch"),
            keys: receipts::keys(&folder),
            logs: receipts::memory(&folder),
        },
        verifier: Box::new(move |store| embedded.verifier_over(store)),
        observer: Box::new(Spinner(progress.clone())),
    })
}

/// Where challenges go, signed with the data folder's callback keys.
fn challenges(args: &WatchArgs, folder: &DataFolder) -> Result<Option<Challenges>, Failure> {
    let Some(url) = args.challenge.clone() else {
        return Ok(None);
    };
    let forbidden = |why: &dyn std::fmt::Display| {
        Failure::new(ErrorCode::ChallengeForbidden, format!("--challenge: {why}"))
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(forbidden(
            &"an address must not contain credentials: they would end up in logs",
        ));
    }
    let network = |text: &String| {
        text.parse::<Network>().map_err(|error| {
            Failure::new(ErrorCode::Usage, format!("--challenge-network: {error}"))
        })
    };
    let networks = args
        .challenge_networks
        .iter()
        .map(network)
        .collect::<Result<_, _>>()?;
    let policy = AddressPolicy::new(networks, args.challenge_ports.clone())
        .set_by("--challenge-port", "--challenge-network");
    policy.check_url(&url).map_err(|error| forbidden(&error))?;
    let callback = HttpCallback::new(policy, Arc::new(folder.open_callback_keys()?))?;
    Ok(Some(Challenges {
        url,
        callback: Arc::new(callback),
    }))
}

struct Spinner(Progress);

impl WatchObserver for Spinner {
    fn reading(&self, position: u64, size: u64) {
        self.0.show(&format!("entry {position} of {size}"));
    }
}

fn failure(error: WatchError, executor: &sre_client::Address) -> Failure {
    let (code, detail) = (error.code(), error.to_string());
    let failure = Failure::new(code, detail);
    match error {
        WatchError::Unreachable {
            is_forbidden: true, ..
        } => failure.hint(connect::READ_TOKEN_HINT),
        WatchError::Running(_) => failure.hint("--data-dir gives this one a folder of its own"),
        WatchError::Origin(fault) if super::tlog::is_missing(&fault) => failure.hint(format!(
            "{executor}log/checkpoint was asked for; --executor is the address of the service itself, without /log"
        )),
        WatchError::Log(fault) => fault.into(),
        WatchError::Keys(error) => error.into(),
        _ => failure,
    }
}

impl From<LogFault> for Failure {
    fn from(fault: LogFault) -> Self {
        let failure = Self::new(fault.code(), fault.to_string());
        let (before, _) = fault.fault.notes();
        match fault.evidence.as_deref().map(Path::display) {
            Some(path) if before.is_some() => {
                failure.hint(format!("both signed checkpoints are in {path}"))
            }
            Some(path) => failure.hint(format!("the checkpoint it signed is in {path}")),
            None if fault.code() == ErrorCode::LogUntrusted => {
                failure.hint("`sre key trust` or --key names the log's key, from its owner")
            }
            None => failure,
        }
    }
}
