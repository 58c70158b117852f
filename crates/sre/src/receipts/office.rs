//! What the service does about receipts while it runs: signs them as orders end, and lets the log grow.

use std::sync::Arc;
use std::time::Duration;

use sre_orchestrator::Registrar;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long the last batches may take at a shutdown. What is not done is done by the next start.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// The loops. They end with [`Office::close`], or when this is dropped.
pub struct Office {
    registrar: Arc<Registrar>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl Office {
    /// Starts the loops on the current runtime. The log grows at most once per `log_period`.
    pub fn open(registrar: Arc<Registrar>, log_period: Duration) -> Self {
        let (stop, mut loops) = (watch::channel(false).0, JoinSet::new());
        let (signs, stopped) = (Arc::clone(&registrar), stop.subscribe());
        loops.spawn(async move { signs.run(stopped).await });
        let log = Arc::clone(registrar.log());
        loops.spawn(async move { log.run(log_period).await });
        Self { registrar, stop, loops }
    }

    /// Signs and enters what has ended meanwhile, as far as that can be done now.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        self.loops.shutdown().await;
        let rest = async {
            while self.registrar.issue_due().await? > 0 {}
            self.registrar.log().integrate().await?;
            Ok::<_, sre_orchestrator::RegistrarError>(())
        };
        match tokio::time::timeout(CLOSING_TIME, rest).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last receipts are issued by the next start"),
            Err(_) => tracing::warn!("the last receipts are issued by the next start"),
        }
    }
}
