//! Whether skills can run here at all, found out by running one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sre_sandbox::{OwnedCall, OwnedJob, SandboxError};
use sre_skill::{PackageLimits, Skill};

use crate::{AcceptError, Acceptance, OrderConfig};

/// How long the trial may wait for a slot.
const SLOT_TIME_LIMIT: Duration = Duration::from_secs(1);

/// How long it may run. It takes microseconds; a machine under heavy load gets time.
const RUN_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Prints 7.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\01\00\00\00")
    (data (i32.const 16) "7")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// What a trial showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfTest {
    /// The skill ran and returned what it should.
    Passed,
    /// Every slot is taken by skills that run, which answers the question as well.
    Busy,
}

impl Acceptance {
    /// Takes the smallest order through acceptance and execution. Nothing is committed or recorded.
    ///
    /// # Errors
    /// [`AcceptError`]: orders cannot run here.
    pub async fn self_test(&self) -> Result<SelfTest, AcceptError> {
        let package = json!({
            "name": "trial",
            "version": "1.0.0",
            "runtime": { "entrypoint": "main.wat" },
            "files": { "main.wat": PROGRAM },
        });
        let skill = Arc::new(Skill::from_object(&package, &PackageLimits::default())?);
        let id = "trial"
            .parse()
            .map_err(|_| AcceptError::Sandbox(SandboxError::Bug(String::from("the trial's id"))))?;
        let order = self.accept(OrderConfig::new(id, skill)).await?;
        let slot = match tokio::time::timeout(SLOT_TIME_LIMIT, self.executor.slot()).await {
            Ok(slot) => slot.map_err(AcceptError::Sandbox)?,
            Err(_) => return Ok(SelfTest::Busy),
        };
        let job = OwnedJob {
            skill: order.attempt.skill,
            entry: order.attempt.entry,
            call: OwnedCall::Json(order.attempt.input),
            profile: order.attempt.profile,
            time_limit: RUN_TIME_LIMIT,
            language_runtime: None,
        };
        let execution = self
            .executor
            .execute(slot, job)
            .await
            .map_err(AcceptError::Sandbox)?;
        match execution.output {
            Some(output) if output == 7 => Ok(SelfTest::Passed),
            _ => {
                let found = execution
                    .failure
                    .unwrap_or_else(|| String::from("another result"));
                Err(AcceptError::Sandbox(SandboxError::Bug(format!(
                    "a skill that prints 7 did not: {found}"
                ))))
            }
        }
    }
}
