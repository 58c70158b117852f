//! Any bytes as a receipt: what is accepted has one spelling, and without the key nothing passes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_receipt::{Envelope, Examiner, Policy, Receipt, Statement, Trust, VerdictStatement};

fuzz_target!(|data: &[u8]| {
    let examiner = Examiner::new(Trust::default(), Policy::default());
    assert!(
        examiner.examine(data, None).flaw.is_some(),
        "nobody is trusted"
    );
    let _ = Statement::<serde_json::Value>::parse(data, "urn:sre:receipt:v1");
    // As an envelope, and as the payload of one, so that the fuzzer need not find base64.
    let signed = Envelope::sign(data.to_vec(), &sre_receipt::SecretKey::from_seed(&[1; 32]));
    for envelope in [Envelope::parse(data).ok(), Some(signed)]
        .into_iter()
        .flatten()
    {
        let bytes = envelope.to_canonical();
        assert_eq!(Envelope::parse(&bytes).ok().as_ref(), Some(&envelope));
        let _ = VerdictStatement::read(envelope.clone());
        if let Ok(receipt) = Receipt::read(envelope) {
            assert_eq!(receipt.envelope().to_canonical(), bytes);
        }
    }
});
