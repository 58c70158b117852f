//! Under which limits an order runs: what it asks for, within what the operator allows.

use std::time::Duration;

use jiff::{Timestamp, Unit};
use sre_core::{
    Backend, BackendChoice, ByteSize, MinIsolation, OrderId, ProcessLimits, Profile, SandboxConfig,
};
use sre_skill::Skill;

use super::error::field;
use super::{AcceptError, Acceptance};

impl Acceptance {
    /// The shortest of what the order, the skill and the operator say.
    pub(super) fn execution_time(
        &self,
        skill: &Skill,
        sandbox: &SandboxConfig,
    ) -> Result<Duration, AcceptError> {
        let limits = &self.limits;
        let asked = match sandbox.timeout_seconds {
            Some(asked) => seconds(
                "sandbox_config.timeout_seconds",
                asked,
                limits.execution_time_cap,
            )?,
            None => limits.execution_time,
        };
        let declared = match declared_timeout(skill) {
            Some(declared) => seconds(
                "skill_package.runtime.timeout_seconds",
                declared,
                Duration::MAX,
            )?,
            None => asked,
        };
        Ok(asked.min(declared))
    }

    pub(super) fn profile(
        &self,
        order_id: &OrderId,
        backend: Backend,
        sandbox: &SandboxConfig,
        execution_time: Duration,
    ) -> Result<Profile, AcceptError> {
        let limits = &self.limits;
        if sandbox.network_disabled == Some(false) {
            return Err(field(
                "sandbox_config.network_disabled",
                "no backend of this version offers a network",
            ));
        }
        let bytes = |name, asked: Option<ByteSize>, default, cap| {
            capped(name, asked.map(|size| size.0), default, cap)
        };
        Ok(Profile {
            backend,
            fuel: capped(
                "sandbox_config.fuel",
                sandbox.fuel,
                limits.fuel,
                limits.fuel_cap,
            )?,
            mem_limit_bytes: bytes(
                "sandbox_config.mem_limit",
                sandbox.mem_limit,
                limits.mem_bytes,
                limits.mem_cap_bytes,
            )?,
            output_limit_bytes: bytes(
                "sandbox_config.output_limit",
                sandbox.output_limit,
                limits.output_bytes,
                limits.output_cap_bytes,
            )?,
            tmp_limit_bytes: limits.tmp_bytes,
            files_limit_bytes: bytes(
                "sandbox_config.files_limit",
                sandbox.files_limit,
                limits.files_bytes,
                limits.files_cap_bytes,
            )?,
            files_limit_count: capped(
                "sandbox_config.files_limit_count",
                sandbox.files_limit_count,
                limits.files_count,
                limits.files_cap_count,
            )?,
            timeout_ms: u64::try_from(execution_time.as_millis()).unwrap_or(u64::MAX),
            clock_start: clock_start(sandbox.clock_start)?,
            random_seed: sandbox
                .random_seed
                .unwrap_or_else(|| order_id.default_seed()),
            processes: (backend != Backend::Wasm)
                .then(|| self.processes(sandbox))
                .transpose()?,
        })
    }

    /// The overrides that differ from the defaults, so that an order means the same whether it
    /// writes a default out or not.
    pub(super) fn explicit(&self, order_id: &OrderId, sandbox: &SandboxConfig) -> SandboxConfig {
        // Every field is named, so that a new one is not forgotten here.
        let SandboxConfig {
            mem_limit,
            cpu_period,
            cpu_quota,
            timeout_seconds,
            network_disabled,
            fuel,
            output_limit,
            files_limit,
            files_limit_count,
            pids_limit,
            backend,
            min_isolation,
            clock_start,
            random_seed,
        } = *sandbox;
        let limits = &self.limits;
        let bytes = |asked: Option<ByteSize>, default, cap: u64| {
            asked.filter(|asked| asked.0 != cap.min(default))
        };
        let count = |asked: Option<u64>, default, cap: u64| {
            asked.filter(|asked| *asked != cap.min(default))
        };
        SandboxConfig {
            mem_limit: bytes(mem_limit, limits.mem_bytes, limits.mem_cap_bytes),
            cpu_period: count(cpu_period, limits.cpu_period_us, limits.cpu_period_cap_us),
            cpu_quota: count(cpu_quota, limits.cpu_quota_us, u64::MAX),
            timeout_seconds: timeout_seconds
                .filter(|asked| *asked != limits.execution_time.as_secs_f64()),
            network_disabled: network_disabled.filter(|disabled| !disabled),
            fuel: count(fuel, limits.fuel, limits.fuel_cap),
            output_limit: bytes(output_limit, limits.output_bytes, limits.output_cap_bytes),
            files_limit: bytes(files_limit, limits.files_bytes, limits.files_cap_bytes),
            files_limit_count: count(
                files_limit_count,
                limits.files_count,
                limits.files_cap_count,
            ),
            pids_limit: count(pids_limit, limits.pids, limits.pids_cap),
            backend: backend.filter(|backend| *backend != BackendChoice::Auto),
            min_isolation: min_isolation.filter(|least| *least != MinIsolation::Process),
            clock_start,
            random_seed: random_seed.filter(|seed| *seed != order_id.default_seed()),
        }
    }

    fn processes(&self, sandbox: &SandboxConfig) -> Result<ProcessLimits, AcceptError> {
        let limits = &self.limits;
        let cpu_period_us = capped(
            "sandbox_config.cpu_period",
            sandbox.cpu_period,
            limits.cpu_period_us,
            limits.cpu_period_cap_us,
        )?;
        let cpu_quota_cap_us = cpu_period_us.saturating_mul(limits.processors_cap);
        Ok(ProcessLimits {
            pids_limit: capped(
                "sandbox_config.pids_limit",
                sandbox.pids_limit,
                limits.pids,
                limits.pids_cap,
            )?,
            cpu_quota_us: capped(
                "sandbox_config.cpu_quota",
                sandbox.cpu_quota,
                limits.cpu_quota_us,
                cpu_quota_cap_us,
            )?,
            cpu_period_us,
        })
    }
}

/// The author's own limit, where the package names one.
fn declared_timeout(skill: &Skill) -> Option<f64> {
    skill.manifest().runtime.as_ref()?.timeout_seconds
}

pub(super) fn seconds(
    name: &'static str,
    asked: f64,
    cap: Duration,
) -> Result<Duration, AcceptError> {
    // Below a millisecond nothing can run.
    if asked.is_nan() || asked < 0.001 {
        return Err(field(
            name,
            format!("must be a number of at least 0.001, found {asked}"),
        ));
    }
    match Duration::try_from_secs_f64(asked) {
        Ok(asked) if asked <= cap => Ok(asked),
        _ => Err(field(
            name,
            format!("is {asked}, at most {} is allowed", cap.as_secs()),
        )),
    }
}

fn capped(
    name: &'static str,
    asked: Option<u64>,
    default: u64,
    cap: u64,
) -> Result<u64, AcceptError> {
    match asked {
        None => Ok(default.min(cap)),
        Some(0) => Err(field(name, "must be above 0")),
        Some(asked) if asked <= cap => Ok(asked),
        Some(asked) => Err(field(name, format!("is {asked}, at most {cap} is allowed"))),
    }
}

/// The default is the moment of acceptance in whole seconds. WASI clocks count nanoseconds from
/// 1970 in 64 bits, which end in 2554.
fn clock_start(asked: Option<Timestamp>) -> Result<Timestamp, AcceptError> {
    let name = "sandbox_config.clock_start";
    let Some(asked) = asked else {
        return Timestamp::now()
            .round(Unit::Second)
            .map_err(|error| field(name, error.to_string()));
    };
    if asked.subsec_nanosecond() != 0 {
        return Err(field(name, "must be in whole seconds"));
    }
    let in_range = asked >= Timestamp::UNIX_EPOCH && asked.as_second() < 16_725_225_600;
    if in_range {
        Ok(asked)
    } else {
        Err(field(name, "must lie between 1970 and 2499"))
    }
}
