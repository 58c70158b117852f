//! `sre serve`: the service over this data folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sre_core::ErrorCode;
use sre_da::LocalStore;
use sre_orchestrator::{DataFolder, Embedded, HttpCallback, Orchestrator, Registrar, Workers};
use sre_server::{App, Metrics, Server, Tokens};
use sre_service::{AuditPlan, ReceiptTasks, Service, ServiceParts};

use super::lost_files::{self, Watched};
use super::service_config;
use crate::cli::{Global, ServeArgs};
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress};
use crate::receipts;
use crate::telemetry::Telemetry;

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
    let listen = settings.server.listen;
    if !settings.server.tokens.is_empty() && !tokens.are_required() {
        let detail = format!(
            "server.tokens is {}, and there is no such file",
            tokens.path().display()
        );
        return Err(Failure::new(ErrorCode::TokensMissing, detail)
            .hint("`sre token --set server.tokens=FILE new NAME` makes it"));
    }
    if tokens.is_empty() && !listen.ip().is_loopback() {
        let detail = format!("{listen} is reachable from other machines, and there are no tokens");
        return Err(Failure::new(ErrorCode::TokensMissing, detail).hint(
            "make one with `sre token new NAME --scopes submit,read`, or listen on 127.0.0.1",
        ));
    }
    let runtime = super::runtime()?;
    let embedded = Embedded::new(folder.clone(), super::embedded(global, progress))?;
    runtime.block_on(async {
        let service =
            Running::open(&settings, &embedded, &folder, Arc::clone(&tokens), listen).await?;
        let address = service
            .server
            .address()
            .map_err(|error| cannot_listen(listen, &error))?;
        if !global.quiet {
            let who = match tokens.are_required() {
                true => "tokens are required",
                false => "no tokens: programs of this machine only",
            };
            output::stderr(&format!("listening on http://{address} ({who})\n"));
        }
        tokio::spawn(refresh(tokens));
        service.run(&settings).await
    })?;
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

/// The parts of a service that has not begun.
struct Running {
    workers: Workers,
    registrar: Arc<Registrar>,
    files: Vec<Watched>,
    audit: AuditPlan,
    server: Server,
    telemetry: Telemetry,
}

impl Running {
    async fn open(
        settings: &Settings,
        embedded: &Embedded,
        folder: &DataFolder,
        tokens: Arc<Tokens>,
        listen: SocketAddr,
    ) -> Result<Self, Failure> {
        let store = Arc::new(folder.open_store()?);
        let policy = settings.address_policy()?;
        let (metrics, telemetry) = (
            Arc::new(Metrics::default()),
            Telemetry::start(&settings.telemetry)?,
        );
        let journal = Arc::new(folder.open_journal()?);
        let journal_file = journal.database();
        let mut parts =
            embedded.parts_with(journal, Arc::<LocalStore>::clone(&store), policy.clone())?;
        parts.backoff = settings.backoff()?;
        parts.schedule = settings.schedule()?;
        let callback = HttpCallback::new(policy.clone(), Arc::new(folder.open_callback_keys()?))?;
        parts.callback = Arc::new(callback.with_time_limit(settings.delivery_time_limit()?));
        parts.tracing = telemetry.tracing();
        parts.meter = Arc::<Metrics>::clone(&metrics);
        // Before an order is taken: a service that cannot sign must not begin.
        let journal = Arc::clone(&parts.journal);
        let registrar = folder.open_registrar(
            Arc::clone(&journal),
            Arc::<LocalStore>::clone(&store),
            receipts::PROGRAM,
        );
        let registrar = Arc::new(registrar.await?);
        let files = vec![
            Watched {
                code: ErrorCode::JournalMoved,
                file: journal_file,
            },
            Watched {
                code: ErrorCode::StoreMoved,
                file: store.database(),
            },
            Watched {
                code: ErrorCode::LogMoved,
                file: registrar.log().database(),
            },
        ];
        let workers = Workers::start(
            Arc::new(Orchestrator::new(parts)),
            settings.worker_options()?,
        )
        .await;
        let service = Arc::new(Service::new(ServiceParts {
            workers: workers.clone(),
            acceptance: embedded.acceptance().clone(),
            registrar: Arc::clone(&registrar),
            store: Arc::<LocalStore>::clone(&store),
            callback_policy: policy,
            data_folder: folder.path().to_path_buf(),
            limits: settings.service_limits()?,
        }));
        let audit = AuditPlan {
            sample: settings.receipts.audit_sample,
            period: settings.audit_period()?,
            audits: Arc::clone(service.audits()),
            store,
        };
        let app = App::new(service, tokens, metrics, settings.server_options()?);
        let server = Server::bind(app, listen)
            .await
            .map_err(|error| cannot_listen(listen, &error))?;
        Ok(Self {
            workers,
            registrar,
            files,
            audit,
            server,
            telemetry,
        })
    }

    /// Serves until it is told to stop, or one of its databases is gone.
    async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Self {
            workers,
            registrar,
            files,
            audit,
            server,
            telemetry,
        } = self;
        let receipts = ReceiptTasks::start(Arc::clone(&registrar), settings.log_period()?, audit);
        let grace = settings.grace()?;
        let mut lost = None;
        server
            .run(
                async { lost = lost_files::watch(&files, grace, stop_signal()).await },
                grace,
            )
            .await;
        tracing::info!("shutting down");
        workers.shutdown(grace).await;
        receipts.shutdown().await;
        telemetry.shutdown().await;
        // A missing file may be the reason for the stop signal.
        let lost = lost.or_else(|| lost_files::look(&files));
        // The databases are open until here, so what they hold can be saved.
        drop(registrar);
        lost.map_or(Ok(()), Err)
    }
}

/// Reads the file of tokens again when it has changed.
async fn refresh(tokens: Arc<Tokens>) {
    loop {
        tokio::time::sleep(REFRESH_PERIOD).await;
        tokens.refresh();
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::new(
        ErrorCode::ListenFailed,
        format!("cannot listen on {address}: {error}"),
    )
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
