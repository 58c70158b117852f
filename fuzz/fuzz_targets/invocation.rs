//! Any bytes as an invocation, committed and as submitted: what is accepted is written again in the
//! same way, and what may be called has no NUL and no refused variable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_core::{Invocation, is_refused_variable};
use sre_orchestrator::InvocationConfig;

fuzz_target!(|data: &[u8]| {
    if let Ok(invocation) = serde_json::from_slice::<Invocation>(data) {
        let bytes = invocation.to_canonical();
        let again: Invocation = serde_json::from_slice(&bytes).expect("its own spelling");
        assert_eq!(again, invocation);
        assert_eq!(again.to_canonical(), bytes);
        if invocation.check().is_ok() {
            assert!(
                invocation
                    .args
                    .iter()
                    .all(|argument| !argument.contains('\0'))
            );
            assert!(invocation.env.keys().all(|name| !is_refused_variable(name)));
        }
        for path in ["a", "a/b", "out/report.csv"] {
            let _ = invocation.collect.matches(path);
        }
    }
    if let Ok(config) = serde_json::from_slice::<InvocationConfig>(data) {
        let written = serde_json::to_vec(&config).expect("it serialises");
        let again: InvocationConfig = serde_json::from_slice(&written).expect("its own spelling");
        assert_eq!(again, config);
    }
});
