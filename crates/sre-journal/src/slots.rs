//! Who may have how many deliveries at once.

use std::collections::HashMap;

/// Deliveries at once of one submitter to one receiver, so that one that hangs does not keep the
/// others waiting.
const PER_RECEIVER_LIMIT: usize = 4;

/// The deliveries under way, and who may begin another.
///
/// A submitter may have as many as places are free: alone half of all places, one of `n` that want
/// many an `n + 1`th part. So there is a free place for whoever comes next, however many receivers
/// of the others hang, as long as fewer submitters than places want some. Rejected: a fixed part
/// for each submitter, of which a few together fill all places.
#[derive(Debug, Clone)]
pub struct DeliverySlots {
    free: usize,
    busy: HashMap<String, HashMap<String, usize>>,
    turn: String,
}

impl DeliverySlots {
    /// For at most `limit` deliveries at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            free: limit,
            busy: HashMap::new(),
            turn: String::new(),
        }
    }

    /// A delivery of `submitter` to `receiver` begins.
    pub fn enter(&mut self, submitter: &str, receiver: &str) {
        self.free = self.free.saturating_sub(1);
        let receivers = self.busy.entry(submitter.to_owned()).or_default();
        *receivers.entry(receiver.to_owned()).or_default() += 1;
        submitter.clone_into(&mut self.turn);
    }

    /// It has ended.
    pub fn leave(&mut self, submitter: &str, receiver: &str) {
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

    pub(super) fn has_room_for(&self, submitter: &str) -> bool {
        let taken = self
            .busy
            .get(submitter)
            .map_or(0, |receivers| receivers.values().sum());
        taken < self.free
    }

    /// Receivers that have as many deliveries of this submitter as they may.
    pub(super) fn busy_receivers(&self, submitter: &str) -> Vec<&str> {
        let receivers = self.busy.get(submitter).into_iter().flatten();
        receivers
            .filter(|(_, count)| **count >= PER_RECEIVER_LIMIT)
            .map(|(receiver, _)| receiver.as_str())
            .collect()
    }

    /// Who began the last delivery.
    pub(super) fn turn(&self) -> &str {
        &self.turn
    }
}
