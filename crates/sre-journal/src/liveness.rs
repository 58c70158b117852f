//! Which holders of leases still live.

/// Tells living holders from dead ones. A holder is a process that acquires orders.
///
/// Besides this there is a time limit (a lease ends when its holder has not sent a heartbeat for a
/// minute), for a process that hangs and for holders that cannot be asked.
pub trait Liveness: Send + Sync {
    /// The name of this process as a holder; never used again.
    fn name(&self) -> &str;

    /// Whether the process behind `holder` has ended. Unsure means no. Blocks for microseconds.
    fn is_dead(&self, holder: &str) -> bool;

    /// Removes what is left of a dead holder. May be called by several processes at once.
    fn remove(&self, holder: &str);
}
