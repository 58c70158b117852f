//! Which receipts are sampled: a keyed choice, the same whenever it is made again, which cannot be
//! predicted without the key.
//!
//! An executor sees which of its orders are fetched. If each attempt made a new choice, an executor
//! would only have to fail once to get another chance.

use sre_core::{Digest, ReceiptDigest};
use zeroize::Zeroizing;

/// Length of the secret, in bytes.
const SECRET_BYTES: usize = 32;

/// The keyed sampling of one watcher.
pub struct Sampler(Zeroizing<[u8; SECRET_BYTES]>);

impl Sampler {
    /// With a new secret.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// With the secret that [`Sampler::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let secret: Digest = text.trim_end().parse().ok()?;
        Some(Self(Zeroizing::new(*secret.as_bytes())))
    }

    /// The secret, in hexadecimal.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", Digest::from_bytes(*self.0)))
    }

    /// Whether a receipt is in the sample of this `share`, from 0 for none to 1 for all.
    #[must_use]
    pub fn is_sampled(&self, receipt: ReceiptDigest, share: f64) -> bool {
        // Secret and digest have fixed lengths, so nothing can be appended and a plain hash is as
        // good as an HMAC.
        let mut text = Zeroizing::new([0; 2 * SECRET_BYTES]);
        text[..SECRET_BYTES].copy_from_slice(&*self.0);
        text[SECRET_BYTES..].copy_from_slice(receipt.digest().as_bytes());
        let value = Digest::of(&*text);
        let value = value
            .as_bytes()
            .first_chunk()
            .map_or(0, |first| u64::from_be_bytes(*first));
        // An f64 holds 53 bits exactly, so the quotient is always below 1.
        ((value >> 11) as f64) / ((1_u64 << 53) as f64) < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_same_again_and_has_the_share_that_is_asked_for() {
        let sampler = Sampler::random();
        let again = Sampler::parse(&sampler.to_text()).expect("a secret");
        let other = Sampler::random();
        let receipts: Vec<ReceiptDigest> = (0..10_000_u32)
            .map(|n| ReceiptDigest::of(&n.to_le_bytes()))
            .collect();
        let sampled = |sampler: &Sampler, share| {
            receipts
                .iter()
                .map(|receipt| sampler.is_sampled(*receipt, share))
                .collect::<Vec<_>>()
        };
        let count = |sampled: &[bool]| sampled.iter().filter(|is_in| **is_in).count();
        assert_eq!(sampled(&sampler, 0.5), sampled(&again, 0.5));
        assert_ne!(sampled(&sampler, 0.5), sampled(&other, 0.5));
        assert_eq!(
            (
                count(&sampled(&sampler, 0.0)),
                count(&sampled(&sampler, 1.0))
            ),
            (0, 10_000)
        );
        // Ten standard deviations.
        assert!(count(&sampled(&sampler, 0.1)).abs_diff(1000) < 300);
        assert!(Sampler::parse("no secret").is_none());
    }
}
