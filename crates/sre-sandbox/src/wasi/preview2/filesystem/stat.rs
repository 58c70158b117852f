//! Metadata as `wasi:filesystem` tells it.

use super::types;
use crate::machine::{NodeKind, Stat};
use crate::wasi::preview2::clocks::datetime;

pub(super) fn kind(kind: NodeKind) -> types::DescriptorType {
    match kind {
        NodeKind::File => types::DescriptorType::RegularFile,
        NodeKind::Directory => types::DescriptorType::Directory,
        NodeKind::Link => types::DescriptorType::SymbolicLink,
    }
}

pub(super) fn stat_record(stat: Stat) -> types::DescriptorStat {
    types::DescriptorStat {
        type_: kind(stat.kind),
        link_count: stat.links,
        size: stat.size,
        data_access_timestamp: Some(datetime(stat.times.accessed_ns)),
        data_modification_timestamp: Some(datetime(stat.times.modified_ns)),
        status_change_timestamp: Some(datetime(stat.times.changed_ns)),
    }
}

pub(super) fn metadata_hash(stat: Stat) -> types::MetadataHashValue {
    types::MetadataHashValue {
        lower: stat.inode,
        upper: stat.times.modified_ns ^ stat.size.rotate_left(32),
    }
}
