//! What no jail can carry out is refused before anything is made.

use super::error::JailError;
use crate::spec::ProcessSpec;

/// Longest string of an argument list or environment that the kernel takes, in bytes, its end
/// included.
const STRING_LIMIT_BYTES: usize = 128 << 10;

/// Refuses an order without sense.
pub fn check(spec: &ProcessSpec) -> Result<(), JailError> {
    let limits = &spec.limits;
    let zeroes = [
        ("memory", limits.memory_bytes),
        ("processor time", limits.cpu_quota_us),
        ("processor period", limits.cpu_period_us),
        ("size of /tmp", limits.tmp_bytes),
        ("files in /tmp", limits.tmp_files),
        ("size of the writable folders", limits.files_bytes),
        ("files in the writable folders", limits.files_count),
        ("open files", limits.open_files),
    ];
    if let Some((name, _)) = zeroes.iter().find(|(_, value)| *value == 0) {
        return Err(JailError::Invalid(format!(
            "a limit of 0 for {name} leaves nothing to run with"
        )));
    }
    // The first process of a jail, the guest, and one more for either.
    if limits.processes < 2 {
        return Err(JailError::Invalid(format!(
            "{} processes are too few: a jail needs 2",
            limits.processes
        )));
    }
    if !(1000..=1_000_000).contains(&limits.cpu_period_us) || limits.cpu_quota_us < 1000 {
        let (quota, period) = (limits.cpu_quota_us, limits.cpu_period_us);
        return Err(JailError::Invalid(format!(
            "{quota} of {period} µs: a processor period lies between 1,000 and 1,000,000 µs, a quota at or above 1,000"
        )));
    }
    let texts = spec.arguments.iter().map(String::len);
    let texts = texts.chain(
        spec.environment
            .iter()
            .map(|(name, value)| name.len() + value.len() + 1),
    );
    match texts.max() {
        Some(longest) if longest >= STRING_LIMIT_BYTES => Err(JailError::Invalid(format!(
            "an argument or environment variable has {longest} bytes; Linux takes fewer than {STRING_LIMIT_BYTES}"
        ))),
        _ => Ok(()),
    }
}
