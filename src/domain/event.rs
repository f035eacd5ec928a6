//! One accepted change: immutable, a leaf of the journal, and all that the state is made of.

use super::anomaly::{Anomaly, AnomalySettings};
use super::basis::Basis;
use super::change::{ProposedChange, SchemaFloor};
use super::command::{Change, Create, Signal};
use super::encoding::{self, DecodeError};
use super::erasure::ErasedEvidence;
use super::ids::{EventId, Millis, Revision};
use super::member::RecordMembership;
use super::monitor::Violations;
use super::names::{Namespace, Principal, PurposeName, ServiceName};
use super::purpose::Purpose;
use super::token::SubjectToken;

/// What an event recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The cluster was created: revision 1 of every cluster.
    Created,
    /// A subject opted out.
    OptOut,
    /// A subject opted in.
    OptIn,
    /// A purpose was added or changed.
    Purpose,
    /// A namespace was added.
    Namespace,
    /// The feature level was raised.
    FeatureLevel,
    /// A subject opted out of some purposes and in to others.
    Preferences,
    /// A namespace was configured.
    NamespaceSettings,
    /// A schema floor was set.
    SchemaFloor,
    /// A change that can widen ALLOW was proposed.
    ChangeProposed,
    /// A proposed change was withdrawn.
    ChangeWithdrawn,
    /// An override was approved.
    OverrideBegan,
    /// An override was revoked.
    OverrideRevoked,
    /// An override is over, with its totals.
    OverrideEnded,
    /// A node's key for stamps was added, or its keys were retired.
    StampKey,
    /// A node's key for the journal's checkpoints was added, or retired.
    JournalKey,
    /// A member was added, became a voter, or was taken out.
    Membership,
    /// A service processed against the rules.
    Violation,
    /// Something out of the ordinary was found.
    Anomaly,
    /// What counts as out of the ordinary was set.
    AnomalySettings,
    /// A subject's evidence was erased.
    EvidenceErased,
}

/// One token of an event, with the way back through its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventToken {
    /// The token.
    pub subject: SubjectToken,
    /// The revision of its previous event, or 0.
    pub previous: Revision,
}

/// What only some kinds of events carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more: an opt-out, an opt-in, a namespace.
    None,
    /// How the cluster was created.
    Created(Box<Create>),
    /// The purpose as it stands after the event.
    Purpose(Box<Purpose>),
    /// The feature level that was reached.
    FeatureLevel(u32),
    /// What was opted in to beside what was opted out of.
    OptedIn(Vec<PurposeName>),
    /// What Global Privacy Control opts out of from here on.
    Settings(Vec<PurposeName>),
    /// The floor as it stands.
    SchemaFloor(SchemaFloor),
    /// What was proposed, and what that rests on, where it is known.
    Proposed(Box<ProposedChange>, Option<Basis>),
    /// What an override let through, by service.
    Lifted(Vec<(ServiceName, u64)>),
    /// A node's key for stamps; none where its keys were retired.
    StampKey {
        /// The node.
        node_id: u64,
        /// Its Ed25519 public key.
        public_key: Option<[u8; 32]>,
    },
    /// A node's key for the journal's checkpoints; none where it was retired.
    JournalKey {
        /// The node.
        node_id: u64,
        /// Its Ed25519 public key.
        public_key: Option<[u8; 32]>,
    },
    /// What became of a member.
    Membership(RecordMembership),
    /// What a service did, and how often.
    Violation(Box<Violations>),
    /// What is out of the ordinary.
    Anomaly(Box<Anomaly>),
    /// What counts as out of the ordinary.
    AnomalySettings(AnomalySettings),
    /// Whose evidence was erased, and of which events.
    ErasedEvidence(Box<ErasedEvidence>),
}

/// One accepted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its place among all events, from 1: the leaf index plus one.
    pub revision: Revision,
    /// What it records.
    pub kind: EventKind,
    /// The namespace; none for what concerns the whole cluster.
    pub namespace: Option<Namespace>,
    /// The subject's tokens; empty unless the kind is an opt-out or an opt-in.
    pub tokens: Vec<EventToken>,
    /// The purposes opted out of or in to; the purpose that was added or changed.
    pub purposes: Vec<PurposeName>,
    /// How the wish arrived; `Operator` for administrative events.
    pub signal: Signal,
    /// Who called.
    pub principal: Principal,
    /// When the leader received it, by the log's time, which never goes back.
    pub received_at: Millis,
    /// SHA-256 of the sealed evidence.
    pub evidence_sha256: Option<[u8; 32]>,
    /// What only its kind carries.
    pub detail: Detail,
    /// The change that it proposes, makes, withdraws or ends: the id of the event that proposed it. None for what needs
    /// one principal.
    pub change_id: Option<EventId>,
    /// Who proposed what the principal approved.
    pub proposed_by: Option<Principal>,
    /// The service that sent it, as it calls itself; none but of a subject's change.
    pub service: ServiceName,
}

impl Event {
    /// The bytes of its leaf in the journal: the same on every node, for ever; at most 65,535.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode_event(self)
    }

    /// Reads what [`Event::encode`] wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode_event(bytes)
    }

    /// What it does to its subject's preferences: each purpose with its change; empty for other kinds.
    pub fn changes(&self) -> Vec<(&PurposeName, Change)> {
        let change = match self.kind {
            EventKind::OptOut | EventKind::Preferences => Change::OptOut,
            EventKind::OptIn => Change::OptIn,
            EventKind::Created
            | EventKind::Purpose
            | EventKind::Namespace
            | EventKind::FeatureLevel
            | EventKind::NamespaceSettings
            | EventKind::SchemaFloor
            | EventKind::ChangeProposed
            | EventKind::ChangeWithdrawn
            | EventKind::OverrideBegan
            | EventKind::OverrideRevoked
            | EventKind::OverrideEnded
            | EventKind::StampKey
            | EventKind::JournalKey
            | EventKind::Membership
            | EventKind::Violation
            | EventKind::Anomaly
            | EventKind::AnomalySettings
            | EventKind::EvidenceErased => return Vec::new(),
        };
        let own = self.purposes.iter().map(|purpose| (purpose, change));
        let opted_in = self.opted_in().iter();
        own.chain(opted_in.map(|purpose| (purpose, Change::OptIn)))
            .collect()
    }

    /// Whom it names: whose change it is, whose evidence was erased, or whom something that was found is about.
    pub fn subjects(&self) -> impl Iterator<Item = &SubjectToken> {
        let (samples, named) = match &self.detail {
            Detail::Violation(found) => (&found.samples[..], &[][..]),
            Detail::Anomaly(found) => (&[][..], found.subject.as_slice()),
            Detail::ErasedEvidence(erased) => (&[][..], &erased.tokens[..]),
            _ => (&[][..], &[][..]),
        };
        let own = self.tokens.iter().map(|token| &token.subject);
        own.chain(samples.iter().map(|sample| &sample.token))
            .chain(named)
    }

    /// The purposes that it touches.
    pub fn touched(&self) -> impl Iterator<Item = &PurposeName> {
        self.purposes.iter().chain(self.opted_in())
    }

    fn opted_in(&self) -> &[PurposeName] {
        match &self.detail {
            Detail::OptedIn(purposes) => purposes,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::*;
    use crate::limits;

    /// The longest name of a purpose that ends in a number.
    fn long_name(n: usize) -> String {
        format!("{}{n:02}", "p".repeat(limits::PURPOSE_BYTES - 2))
    }

    fn long_purpose(n: usize) -> Purpose {
        Purpose {
            description: "d".repeat(limits::DESCRIPTION_BYTES),
            default_deny: true,
            essential: false,
            ..purpose(&long_name(n))
        }
    }

    fn long_namespace(n: usize) -> Namespace {
        let text = format!("{}{n:02}", "n".repeat(limits::NAMESPACE_BYTES - 2));
        Namespace::parse(&text).unwrap()
    }

    fn only_event(driven: &mut Driven, body: Body) -> Event {
        let mut command = driven.command(body);
        command.principal = Principal::parse(&"x".repeat(limits::PRINCIPAL_BYTES)).unwrap();
        driven.apply(&command).unwrap();
        driven.events.last().unwrap().clone()
    }

    #[test]
    fn the_largest_events_fit_a_leaf() {
        let mut driven = Driven::empty();
        let mut create = Create::new([7; 16], KeyFingerprint([8; 16]));
        create.purposes = (0..limits::PURPOSES_AT_CREATION)
            .map(long_purpose)
            .collect();
        create.namespaces = (0..limits::NAMESPACES_AT_CREATION)
            .map(long_namespace)
            .collect();
        let proposal = Proposal {
            principal: principal(),
            body: Body::Create(create.clone()),
        };
        assert_eq!(proposal.validate(), Ok(()));
        let created = only_event(&mut driven, proposal.body);

        for n in limits::PURPOSES_AT_CREATION..limits::PURPOSES_PER_REQUEST {
            driven.put(long_purpose(n)).unwrap();
        }
        let put = driven.events.last().unwrap().clone();

        let mut set = driven.preference(Change::OptIn, &[], &[]);
        set.namespace = long_namespace(0);
        set.opt_in = (0..limits::PURPOSES_PER_REQUEST)
            .map(|n| name(&long_name(n)))
            .collect();
        set.tokens = (0..16).map(subject).collect();
        for subject in &mut set.tokens {
            let text = "t".repeat(limits::IDENTIFIER_TYPE_BYTES);
            subject.identifier_type = IdentifierType::parse(&text).unwrap();
        }
        let preference = only_event(&mut driven, Body::SetPreference(set));

        for event in [created, put, preference] {
            let leaf = event.encode();
            assert!(leaf.len() <= limits::LEAF_BYTES, "{} bytes", leaf.len());
            assert_eq!(Event::decode(&leaf).unwrap(), event);
        }
    }
}
