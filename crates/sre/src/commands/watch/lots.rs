//! Which receipts are drawn: by a lot that is the same whenever it is asked for, and that nobody
//! else can know.
//!
//! An executor sees which of its orders are looked at. Were a lot drawn afresh for each attempt, it
//! would only have to fail once to have another chance.

use sre_core::{Digest, ReceiptDigest};
use zeroize::Zeroizing;

/// Length of the secret, in bytes.
const SECRET_BYTES: usize = 32;

/// The lots of one watcher.
pub struct Lots(Zeroizing<[u8; SECRET_BYTES]>);

impl Lots {
    /// With a new secret.
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// With the secret that [`Lots::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let secret: Digest = text.trim_end().parse().ok()?;
        Some(Self(Zeroizing::new(*secret.as_bytes())))
    }

    /// The secret, in hexadecimal.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", Digest::from_bytes(*self.0)))
    }

    /// Whether a receipt is among the `share` that is drawn, from 0 for none to 1 for all.
    pub fn is_drawn(&self, receipt: ReceiptDigest, share: f64) -> bool {
        // Secret and digest have fixed lengths, so nothing can be appended and a plain hash is as
        // good as an HMAC.
        let mut text = Zeroizing::new([0; 2 * SECRET_BYTES]);
        text[..SECRET_BYTES].copy_from_slice(&*self.0);
        text[SECRET_BYTES..].copy_from_slice(receipt.digest().as_bytes());
        let lot = Digest::of(&*text);
        let lot = lot
            .as_bytes()
            .first_chunk()
            .map_or(0, |first| u64::from_be_bytes(*first));
        // 53 bits are what a number of this kind holds: below 1 in any case.
        ((lot >> 11) as f64) / ((1_u64 << 53) as f64) < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_are_the_same_again_and_fall_on_the_share_that_is_asked_for() {
        let lots = Lots::random();
        let again = Lots::parse(&lots.to_text()).expect("a secret");
        let other = Lots::random();
        let receipts: Vec<ReceiptDigest> = (0..10_000_u32)
            .map(|n| ReceiptDigest::of(&n.to_le_bytes()))
            .collect();
        let drawn = |lots: &Lots, share| {
            receipts
                .iter()
                .map(|receipt| lots.is_drawn(*receipt, share))
                .collect::<Vec<_>>()
        };
        let count = |drawn: &[bool]| drawn.iter().filter(|drawn| **drawn).count();
        assert_eq!(drawn(&lots, 0.5), drawn(&again, 0.5));
        assert_ne!(drawn(&lots, 0.5), drawn(&other, 0.5));
        assert_eq!(
            (count(&drawn(&lots, 0.0)), count(&drawn(&lots, 1.0))),
            (0, 10_000)
        );
        // Ten standard deviations.
        assert!(count(&drawn(&lots, 0.1)).abs_diff(1000) < 300);
        assert!(Lots::parse("no secret").is_none());
    }
}
