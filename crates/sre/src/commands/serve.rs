//! `sre serve`: the service over this data folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sre_orchestrator::{DataFolder, Embedded, EmbeddedOptions, HttpCallback, Orchestrator, Workers};
use sre_server::{App, Metrics, Server, Tokens};

use super::{lost_journal, service_config};
use crate::cli::{Global, ServeArgs};
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress};
use crate::receipts::{self, AuditPlan, Office};

/// How often a new file of tokens is looked for.
const REFRESH_PERIOD: Duration = Duration::from_secs(2);

/// Serves until it is told to stop.
///
/// # Errors
/// Bad settings; a data folder, a port or a sandbox that cannot be used.
pub fn serve(mut args: ServeArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    if let Some(listen) = args.listen.take() {
        args.config.set.push(format!("server.listen={listen}"));
    }
    let settings = service_config(&args.config)?.settings()?;
    let folder = global.data_folder()?;
    let tokens = Arc::new(open_tokens(&settings, &folder)?);
    let tokens = (!tokens.is_empty()).then_some(tokens);
    let listen = settings.server.listen;
    if tokens.is_none() && !listen.ip().is_loopback() {
        let detail = format!("{listen} is reachable from other machines, and there are no tokens");
        return Err(Failure::usage("tokens_missing", detail)
            .hint("make one with `sre token new NAME --scopes submit,read`, or listen on 127.0.0.1"));
    }
    let runtime = super::runtime()?;
    let options = super::embedded(global, progress);
    runtime.block_on(run(&settings, options, folder, tokens, listen, global.quiet))?;
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(Exit::Success)
}

/// The tokens that the settings name.
///
/// # Errors
/// When the file cannot be used.
pub fn open_tokens(settings: &Settings, folder: &DataFolder) -> Result<Tokens, Failure> {
    let path = match settings.server.tokens.as_str() {
        "" => folder.path().join("tokens.json"),
        path => PathBuf::from(path),
    };
    Ok(Tokens::open(path)?)
}

async fn run(
    settings: &Settings,
    options: EmbeddedOptions,
    folder: DataFolder,
    tokens: Option<Arc<Tokens>>,
    listen: SocketAddr,
    quiet: bool,
) -> Result<(), Failure> {
    let embedded = Embedded::new(folder.clone(), options)?;
    let metrics = Arc::new(Metrics::default());
    let policy = settings.address_policy()?;
    let mut parts = embedded.parts(policy.clone())?;
    parts.backoff = settings.backoff()?;
    parts.schedule = settings.schedule()?;
    let callback = HttpCallback::new(policy.clone(), Arc::new(folder.open_callback_keys()?))?;
    parts.callback = Arc::new(callback.with_time_limit(settings.delivery_time_limit()?));
    let telemetry = telemetry(settings)?;
    parts.tracing = telemetry.tracing();
    parts.meter = Arc::<Metrics>::clone(&metrics);
    let store = Arc::clone(&parts.store);
    // Before an order is taken: a service that cannot sign must not begin.
    let journal = Arc::clone(&parts.journal);
    let registrar = Arc::new(folder.open_registrar(journal, Arc::clone(&store), receipts::PROGRAM).await?);
    let (log_period, evidence) = (settings.log_period()?, Arc::clone(&store));
    let workers = Workers::start(Arc::new(Orchestrator::new(parts)), settings.worker_options()?).await;
    let app = App::new(
        workers.clone(),
        embedded.acceptance().clone(),
        Arc::clone(&registrar),
        store,
        policy,
        tokens.clone(),
        metrics,
        folder.path().to_path_buf(),
        settings.server_options()?,
    );
    let audits = Arc::clone(app.audits());
    let audit =
        AuditPlan { sample: settings.receipts.audit_sample, period: settings.audit_period()?, audits, store: evidence };
    let server = Server::bind(app, listen).await.map_err(|error| cannot_listen(listen, &error))?;
    let address = server.address().map_err(|error| cannot_listen(listen, &error))?;
    if !quiet {
        let who = if tokens.is_some() { "tokens are required" } else { "no tokens: programs of this machine only" };
        output::stderr(&format!("listening on http://{address} ({who})\n"));
    }
    if let Some(tokens) = tokens {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(REFRESH_PERIOD).await;
                tokens.refresh();
            }
        });
    }
    let office = Office::open(registrar, log_period, audit);
    let grace = settings.grace()?;
    let mut lost = None;
    server.run(async { lost = lost_journal::watch(&workers, grace, stop_signal()).await }, grace).await;
    tracing::info!("shutting down");
    workers.shutdown(grace).await;
    office.close().await;
    telemetry.shutdown().await;
    if lost.is_none() {
        // It may have been told to stop for this reason.
        lost = lost_journal::look(workers.orchestrator().journal()).await;
    }
    lost.map_or(Ok(()), Err)
}

#[cfg(feature = "otel")]
fn telemetry(settings: &Settings) -> Result<crate::telemetry::Telemetry, Failure> {
    crate::telemetry::Telemetry::start(&settings.telemetry)
}

/// What traces are without the feature: an error where the settings ask for them.
#[cfg(not(feature = "otel"))]
struct NoTelemetry;

#[cfg(not(feature = "otel"))]
fn telemetry(settings: &Settings) -> Result<NoTelemetry, Failure> {
    if settings.telemetry.traces_endpoint.is_empty() {
        return Ok(NoTelemetry);
    }
    let detail = "telemetry.traces_endpoint: this program was built without the feature otel and sends no traces";
    Err(Failure::usage("config_invalid", detail))
}

#[cfg(not(feature = "otel"))]
impl NoTelemetry {
    fn tracing(&self) -> sre_orchestrator::Tracing {
        sre_orchestrator::Tracing::default()
    }

    async fn shutdown(self) {
        std::future::ready(()).await;
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::operating("listen_failed", format!("cannot listen on {address}: {error}"))
        .hint("--listen names another address; port 0 takes any that is free")
}

/// Ends with SIGTERM or Ctrl-C.
async fn stop_signal() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = ctrl_c => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    ctrl_c.await;
}
