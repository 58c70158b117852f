//! Where an order runs, and whether that is enough for it.

use std::sync::Arc;

use sre_core::{Backend, BackendChoice, MinIsolation, RuntimeKind, SandboxConfig};
use sre_sandbox::ErrorKind;
use sre_skill::{Entry, Skill};

use super::error::field;
use super::{AcceptError, Acceptance};

impl Acceptance {
    /// The backend that runs the skill, ready to do so. A script that the language runtimes cannot
    /// run goes to the jail, if the operator has one and the order leaves the choice.
    pub(super) async fn prepared_backend(
        &self,
        skill: &Arc<Skill>,
        entry: &Arc<Entry>,
        sandbox: &SandboxConfig,
    ) -> Result<Backend, AcceptError> {
        let choice = sandbox.backend.unwrap_or_default();
        let kind = entry.kind;
        let first = self.backend(kind, choice)?;
        let prepared = self
            .executor
            .prepare(first, Arc::clone(skill), Arc::clone(entry))
            .await;
        let may_fall_back =
            choice == BackendChoice::Auto && kind != RuntimeKind::Wasm && first == Backend::Wasm;
        let chosen = match prepared {
            Err(error)
                if error.kind() == ErrorKind::Rejected
                    && may_fall_back
                    && self.executor.has(Backend::Native) =>
            {
                tracing::info!(%error, "the skill cannot run in WebAssembly and goes to the jail");
                self.executor
                    .prepare(Backend::Native, Arc::clone(skill), Arc::clone(entry))
                    .await
                    .map(|()| Backend::Native)
            }
            prepared => prepared.map(|()| first),
        };
        let chosen = chosen.map_err(AcceptError::Sandbox)?;
        self.check_isolation(
            chosen,
            sandbox.min_isolation.unwrap_or(MinIsolation::Process),
        )
        .await?;
        Ok(chosen)
    }

    pub(super) fn backend(
        &self,
        kind: RuntimeKind,
        choice: BackendChoice,
    ) -> Result<Backend, AcceptError> {
        let name = "sandbox_config.backend";
        let wanted = match (choice, kind) {
            (BackendChoice::Auto, RuntimeKind::Native | RuntimeKind::Shell) => Backend::Native,
            (BackendChoice::Auto | BackendChoice::Wasm, _) => Backend::Wasm,
            (BackendChoice::Native, RuntimeKind::Wasm) => {
                return Err(field(name, "a Wasm skill runs on the wasm backend"));
            }
            (BackendChoice::Native, _) => Backend::Native,
            (BackendChoice::Docker, _) => Backend::Docker,
        };
        if wanted == Backend::Native && !self.executor.has(Backend::Native) {
            let why = "this skill would run as a native process, which the operator does not allow here; \
                       --allow-native allows it, and `sre doctor` says what would hold it";
            return Err(field(name, why));
        }
        Ok(wanted)
    }

    /// An order may demand more than the operator does.
    async fn check_isolation(
        &self,
        backend: Backend,
        demanded: MinIsolation,
    ) -> Result<(), AcceptError> {
        let name = "sandbox_config.min_isolation";
        match (demanded, backend) {
            (MinIsolation::Process, _) | (_, Backend::Wasm) => Ok(()),
            (MinIsolation::Wasm, other) => Err(field(
                name,
                format!("wasm is demanded, but the skill would run on the {other} backend"),
            )),
            (MinIsolation::Jail, other) => {
                let lacking = self
                    .executor
                    .lacking(other)
                    .await
                    .map_err(AcceptError::Sandbox)?;
                match lacking.first() {
                    None => Ok(()),
                    Some((layer, why)) => Err(field(
                        name,
                        format!("jail is demanded, but this host cannot enforce {layer}: {why}"),
                    )),
                }
            }
        }
    }
}
