//! Limits for all processes of a jail together: memory, processor time, number of processes.
//!
//! The host makes one group per jail below the cgroup it is in itself, so that whatever limits it
//! has hold for its jails too, and removes it afterwards. Version 2 is used where it has the
//! controller, version 1 elsewhere; on a host with both, each controller is where the system put
//! it.
//!
//! | file | holds |
//! |---|---|
//! | `place` | where groups can be made on this host, and why not |
//! | `group` | one jail's group: limits, entry, usage, removal |

mod group;
mod place;

pub use group::{Group, GroupUsage};
pub use place::{Controller, Place, Places};
