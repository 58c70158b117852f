//! Whether the sandbox runs skills, found out by running a tiny one now and then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sre_orchestrator::{AcceptError, Acceptance, SelfTest};
use tokio::sync::Mutex;

/// How long the result of the sandbox test is kept, however often it is asked for.
const SANDBOX_PERIOD: Duration = Duration::from_secs(5);

/// The result of the last test, and when it was made.
#[derive(Default)]
pub(crate) struct SandboxTest(Mutex<Option<(Instant, Answer)>>);

/// Whether the sandbox works.
type Answer = Result<(), Arc<AcceptError>>;

impl SandboxTest {
    /// Runs a tiny skill, or returns the result of the last run. Concurrent callers wait for the same
    /// run.
    pub(crate) async fn result(&self, acceptance: &Acceptance) -> Result<(), Arc<AcceptError>> {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < SANDBOX_PERIOD
        {
            return result.clone();
        }
        let result = match acceptance.self_test().await {
            Ok(SelfTest::Passed | SelfTest::Busy) => Ok(()),
            Err(error) => Err(Arc::new(error)),
        };
        *last = Some((Instant::now(), result.clone()));
        result
    }
}
