//! Who asked, how often, and what overrides let through: what a node has counted since its last report.

use super::ids::{EventId, Millis};
use super::names::ServiceName;

/// A node's report. Sent about once a minute; a report that is sent again counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportUsage {
    /// The node.
    pub node_id: u64,
    /// Drawn at random at each of its starts.
    pub start: u64,
    /// The number of the report since that start, from 1.
    pub number: u64,
    /// By service and schema version; at most 256.
    pub services: Vec<ServiceUsage>,
    /// By override and service; at most 256.
    pub lifted: Vec<Lifted>,
}

/// What a service sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUsage {
    /// Its name; empty where it named none.
    pub service: ServiceName,
    /// The schema version that it was built for; 0 where it did not say.
    pub schema_version: u32,
    /// Questions and changes.
    pub calls: u64,
    /// How many of them were below a schema floor.
    pub below_floor: u64,
}

/// The decisions that an override made an ALLOW.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// The override.
    pub override_id: EventId,
    /// For whom.
    pub service: ServiceName,
    /// How many.
    pub count: u64,
}

/// A service as the cluster has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSeen {
    /// Its name and version, and the counts since it was first seen.
    pub usage: ServiceUsage,
    /// When it was first reported, by the log's time.
    pub first_seen: Millis,
    /// When it was last reported, by the log's time.
    pub last_seen: Millis,
}
