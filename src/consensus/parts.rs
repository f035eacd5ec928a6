//! What a node of the cluster is made of, and why it may not start.

use std::sync::Arc;

use super::settings::Timing;
use super::types::Peer;
use crate::clock::{Clock, Entropy};
use crate::domain::{KeyFingerprint, SealingKey};
use crate::metrics::Meters;
use crate::net::Connector;
use crate::proto::peer::Setting;
use crate::storage::{Refused, files::Files, identity::Identity, log::Log, space::Space};

/// What a node is made of, injected.
pub struct Parts {
    /// The replicated log.
    pub log: Arc<dyn Log>,
    /// The disk for whole files.
    pub files: Arc<dyn Files>,
    /// Whether there is room on it.
    pub space: Arc<Space>,
    /// Opens connections to the others.
    pub connector: Connector,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub entropy: Arc<dyn Entropy>,
    /// Who the node is.
    pub identity: Identity,
    /// Where it can be reached.
    pub own: Peer,
    /// The fingerprint of its token key.
    pub key_fingerprint: KeyFingerprint,
    /// The operator's half of what wraps keys of evidence.
    pub sealing_key: SealingKey,
    /// How long Raft waits.
    pub timing: Timing,
    /// Times what it does.
    pub meters: Meters,
    /// The node's settings in force, to be compared with the others'.
    pub settings: Vec<Setting>,
}

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What lies on the disk is damaged.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A setting does not fit.
    #[error("raft settings: {0}")]
    Settings(String),
    /// openraft could not start.
    #[error("raft: {0}")]
    Raft(String),
}
