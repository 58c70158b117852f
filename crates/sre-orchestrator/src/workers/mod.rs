//! Workers: orders from the journal, as many at once as the operator allows.
//!
//! | file | holds |
//! |---|---|
//! | `options` | the knobs |
//! | `submitted` | what becomes of an order that is submitted |
//! | `pool` | submission, and the loop that claims orders and runs them |
//! | `shutdown` | the end: finish or give back |
//! | `maintenance` | what is done from time to time: dead holders, time limits, cancellations |
//!
//! Nothing here is remembered that the journal does not know: a pool that is killed leaves orders
//! under leases that die with the process, and the next pool claims them with the same loop. An
//! order that is submitted while a worker is free and no other waits is acquired in the transaction
//! that accepts it, which saves a trip through the queue and is otherwise the same.

mod maintenance;
mod options;
mod pool;
mod shutdown;
mod submitted;

pub use options::WorkerOptions;
pub use pool::Workers;
pub use submitted::{SubmitError, Submitted};
