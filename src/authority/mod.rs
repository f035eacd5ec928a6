//! The two doors to the replicated state: write and read; what comes through has been admitted.

mod anomaly;
mod audit;
mod cluster;
mod following;
mod governance;
mod journal;
mod link;
mod monitor;
mod query;
mod stamp;

use tokio::{sync::watch, time::Instant};
use tracing::Instrument as _;

use crate::{
    admission::Admitted,
    consensus::{Consensus, Usage},
    domain::{Body, Millis, Outcome, Proposal, PurposeName, Refusal, Sealer},
    proof::JournalSigner,
    traces,
};

pub use self::{
    anomaly::{GetAnomalySettings, ListAnomalies},
    audit::ExportEvents,
    cluster::{Add, DescribeCluster, Init, ReadNode, Remove, TransferLeader},
    following::{StartWatch, Started},
    governance::{
        ListOverrides, ListPending, ListServices, Overrides, PendingChanges, Services,
        StandingOverride, WouldRefuse,
    },
    journal::{FindEvent, JournalKeys, ListJournalKeys, ReadJournal},
    link::{Offer, Offered},
    monitor::{Finding, GetScores, Judge, ListViolations, MayReport},
    query::{
        Check, Checks, Decided, GetPreferences, Heads, ImportProgress, KnownSubject,
        ListNamespaces, ListPurposes, Namespaces, Purposes, Query, Subject,
    },
    stamp::{CheckStamped, ListStampKeys, StampKeys, StampedCheck},
};
pub use crate::consensus::{
    AddProgress, AddStage, AdminError, ClusterStatus, Health, Member, Readings, Report, Role,
    Setting, Signer, Unavailable, WriteError,
};

/// Why a read has no answer. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The question cannot be answered.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The node cannot answer.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

/// The doors.
#[derive(Clone)]
pub struct Authority {
    consensus: Consensus,
}

impl Authority {
    /// Doors to this consensus.
    pub fn new(consensus: Consensus) -> Self {
        Self { consensus }
    }

    /// Makes a change. `Ok` means that it is on stable storage on a majority of the voters.
    ///
    /// # Errors
    /// [`WriteError`], which tells whether the change may have been made all the same.
    pub async fn write(
        &self,
        admitted: Admitted<Body>,
        deadline: Instant,
    ) -> Result<Outcome, WriteError> {
        if self
            .consensus
            .with_state(|state| admitted.gate(state))
            .is_err()
        {
            // This node may merely lag behind: only an up-to-date state may refuse.
            self.consensus
                .read(deadline)
                .await
                .map_err(|why| WriteError::NotApplied { why })?;
            self.consensus.with_state(|state| admitted.gate(state))?;
        }
        if Instant::now() >= deadline {
            let why = Unavailable::Deadline;
            return Err(WriteError::NotApplied { why });
        }
        let (principal, body) = admitted.into_parts();
        let proposal = Proposal { principal, body };
        proposal.validate()?;
        let span = traces::step("authority.write");
        let written = self.consensus.write(proposal, deadline);
        let written = written.instrument(span.clone()).await;
        if let Ok(outcome) = &written
            && let Some(event_id) = outcome.event_id()
        {
            traces::note(&span, "refrain.event_id", &event_id.to_string());
        }
        written
    }

    /// Answers a question from a state that reflects every change acknowledged before the call. All of one question is
    /// answered at one revision.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read<Q: Query>(
        &self,
        admitted: Admitted<Q>,
        deadline: Instant,
    ) -> Result<Q::Answer, ReadError> {
        let waited = traces::step("authority.read");
        let read = self.consensus.read(deadline);
        let read = read.instrument(waited.clone()).await;
        let at = read.inspect_err(|why| traces::note(&waited, "refrain.reason", why.reason()))?;
        drop(waited);
        // However the read went: who asked has given up, and no answer must come out of a call that is over.
        if Instant::now() >= deadline {
            return Err(Unavailable::Deadline.into());
        }
        let answer = self.consensus.with_state(|state| {
            admitted.gate(state)?;
            let (_, query) = admitted.into_parts();
            query.answer(state, at)
        })?;
        // A change that broke off half-way while this waited for it takes the answer back.
        self.consensus.believable()?;
        Ok(answer)
    }

    /// When an id is from that this node makes: by its clock, as far as that is near the members' median.
    pub fn time_for_ids(&self) -> Millis {
        self.consensus.time_for_ids()
    }

    /// What this node counts: who asks, and what overrides let through.
    pub fn usage(&self) -> &Usage {
        self.consensus.usage()
    }

    /// The schema floor that stands at a purpose, as far as this node knows: for the record.
    pub fn schema_floor(&self, purpose: &PurposeName) -> u32 {
        self.consensus
            .with_state(|state| state.schema_floor(Some(purpose)))
    }

    /// What this node signs stamps with; where it has no key in use yet, one is made, and waited for a moment.
    pub async fn signer(&self, deadline: Instant) -> Option<Signer> {
        self.consensus.signer(deadline).await
    }

    /// What seals evidence on this node.
    pub fn sealer(&self) -> Option<Sealer> {
        self.consensus.sealer()
    }

    /// What this node signs the journal's checkpoints with; where it has no key in use yet, one is made, and waited for a moment.
    pub async fn journal_signer(&self, deadline: Instant) -> Option<JournalSigner> {
        self.consensus.journal_signer(deadline).await
    }

    /// Whether a caller of this schema version is below a floor of one of the purposes, as far as this node knows: for
    /// counting, and for nothing else.
    pub fn is_below_floor(&self, purposes: &[PurposeName], schema_version: u32) -> bool {
        self.consensus.with_state(|state| {
            let needed = purposes.iter().filter_map(|it| state.schema_needed(it));
            needed.max().is_some_and(|needed| schema_version < needed)
        })
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.consensus.node_id()
    }

    /// Whether this node serves, and word of every change of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.consensus.health()
    }
}
