//! How many deliveries each submitter may have under way.

use std::collections::HashMap;

/// Deliveries under way from one submitter to one receiver. One receiver that hangs then does not
/// keep the submitter's others waiting.
const PER_RECEIVER_LIMIT: usize = 4;

/// The deliveries under way, and who may begin another.
///
/// A submitter may have as many as slots are free: alone half of all slots, and each of `n` busy
/// submitters an `n + 1`th part. So there is a free slot for the next submitter, however many
/// receivers of the others hang, as long as there are fewer busy submitters than slots. Rejected: a
/// fixed part for each submitter, of which a few together fill all slots.
#[derive(Debug, Clone)]
pub struct DeliverySlots {
    free: usize,
    busy: HashMap<String, HashMap<String, usize>>,
    last_submitter: String,
}

impl DeliverySlots {
    /// For at most `limit` deliveries at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            free: limit,
            busy: HashMap::new(),
            last_submitter: String::new(),
        }
    }

    /// A delivery of `submitter` to `receiver` begins.
    pub fn occupy(&mut self, submitter: &str, receiver: &str) {
        self.free = self.free.saturating_sub(1);
        let receivers = self.busy.entry(submitter.to_owned()).or_default();
        *receivers.entry(receiver.to_owned()).or_default() += 1;
        submitter.clone_into(&mut self.last_submitter);
    }

    /// A delivery of `submitter` to `receiver` has ended.
    pub fn vacate(&mut self, submitter: &str, receiver: &str) {
        self.free += 1;
        let Some(receivers) = self.busy.get_mut(submitter) else {
            return;
        };
        if let Some(count) = receivers.get_mut(receiver) {
            *count -= 1;
        }
        receivers.retain(|_, count| *count > 0);
        if receivers.is_empty() {
            self.busy.remove(submitter);
        }
    }

    pub(crate) fn has_room_for(&self, submitter: &str) -> bool {
        let taken = self
            .busy
            .get(submitter)
            .map_or(0, |receivers| receivers.values().sum());
        taken < self.free
    }

    /// Receivers that have as many deliveries of this submitter as they may.
    pub(crate) fn busy_receivers(&self, submitter: &str) -> Vec<&str> {
        let receivers = self.busy.get(submitter).into_iter().flatten();
        receivers
            .filter(|(_, count)| **count >= PER_RECEIVER_LIMIT)
            .map(|(receiver, _)| receiver.as_str())
            .collect()
    }

    /// The submitter of the delivery that began last: the next round begins after it.
    pub(crate) fn last_submitter(&self) -> &str {
        &self.last_submitter
    }
}
