//! What a request asks for, in 16 bytes: a retry is known by it, and so is an id that is used for something else.

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::domain::anomaly::ConfigureAnomalies;
use crate::domain::change::{Approve, ChangeKind, Propose, Withdraw};
use crate::domain::command::{
    AddNamespace, ConfigureNamespace, PutPurpose, ReportSignal, SetPreference, SetSchemaFloor,
    Signal,
};
use crate::domain::encoding::{anomaly_settings_out, proposed_out};
use crate::domain::erasure::EraseEvidence;
use crate::domain::ids::EventId;
use crate::domain::names::{Namespace, Principal, PurposeName};
use crate::domain::token::{SubjectToken, first_half};

/// Takes parts in, each with its length before it, so that no two lists of parts run into one.
struct Parts(Sha256);

impl Parts {
    fn new(kind: u8, principal: &Principal) -> Self {
        let mut parts = Self(Sha256::new_with_prefix([kind]));
        parts.part(principal.as_str().as_bytes());
        parts
    }

    fn part(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.update(part);
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn subject(&mut self, namespace: &Namespace, tokens: &[SubjectToken]) {
        self.part(namespace.as_str().as_bytes());
        self.count(tokens.len());
        for subject in tokens {
            self.part(subject.identifier_type.as_str().as_bytes());
            self.part(&subject.token.generation.to_be_bytes());
            self.part(&subject.token.bytes);
        }
    }

    fn purposes(&mut self, purposes: &[PurposeName]) {
        self.count(purposes.len());
        for purpose in purposes {
            self.part(purpose.as_str().as_bytes());
        }
    }

    fn finish(self) -> [u8; 16] {
        first_half(&self.0.finalize().into())
    }
}

/// What changes, for whom and why. The schema version and the revisions to be reached or met say when, not what, so that
/// they do not count; nor do the bytes of sealed evidence, which differ at each sealing.
pub(super) fn set_preference(principal: &Principal, set: &SetPreference) -> [u8; 16] {
    let both = !set.opt_out.is_empty() && !set.opt_in.is_empty();
    let mut parts = Parts::new(if both { 4 } else { 1 }, principal);
    parts.subject(&set.namespace, &set.tokens);
    let (change, purposes) = if set.opt_in.is_empty() {
        (1, &set.opt_out)
    } else {
        (2, &set.opt_in)
    };
    if both {
        parts.purposes(&set.opt_out);
    }
    parts.purposes(purposes);
    parts.part(&[change, signal(set.signal)]);
    if let Some(sealed) = &set.evidence {
        parts.part(&sealed.digest);
    }
    parts.finish()
}

/// Which signal, for whom. What it means here is not the caller's to say.
pub(super) fn report_signal(principal: &Principal, report: &ReportSignal) -> [u8; 16] {
    let mut parts = Parts::new(5, principal);
    parts.subject(&report.namespace, &report.tokens);
    parts.part(&[signal(report.signal)]);
    parts.finish()
}

fn signal(signal: Signal) -> u8 {
    match signal {
        Signal::User => 1,
        Signal::Gpc => 2,
        Signal::ListUnsubscribe => 3,
        Signal::Import => 4,
        Signal::Operator => 5,
        Signal::Probe => 6,
    }
}

/// The purpose as it is to stand.
pub(super) fn put_purpose(principal: &Principal, put: &PutPurpose) -> [u8; 16] {
    let mut parts = Parts::new(2, principal);
    parts.part(put.purpose.name.as_str().as_bytes());
    parts.part(put.purpose.description.as_bytes());
    let flags = [put.purpose.default_deny, put.purpose.essential].map(u8::from);
    parts.part(&flags);
    parts.finish()
}

/// The namespace.
pub(super) fn add_namespace(principal: &Principal, add: &AddNamespace) -> [u8; 16] {
    let mut parts = Parts::new(3, principal);
    parts.part(add.namespace.as_str().as_bytes());
    parts.finish()
}

/// The settings.
pub(super) fn configure(principal: &Principal, configure: &ConfigureNamespace) -> [u8; 16] {
    let mut parts = Parts::new(6, principal);
    parts.part(configure.namespace.as_str().as_bytes());
    parts.purposes(&configure.gpc_purposes);
    parts.finish()
}

/// What counts as out of the ordinary, as it is stored.
pub(super) fn configure_anomalies(
    principal: &Principal,
    configure: &ConfigureAnomalies,
) -> [u8; 16] {
    let mut parts = Parts::new(11, principal);
    parts.part(&anomaly_settings_out(&configure.settings).encode_to_vec());
    parts.finish()
}

/// Whose evidence.
pub(super) fn erase_evidence(principal: &Principal, erase: &EraseEvidence) -> [u8; 16] {
    let mut parts = Parts::new(12, principal);
    parts.subject(&erase.namespace, &erase.tokens);
    parts.finish()
}

/// The floor.
pub(super) fn set_schema_floor(principal: &Principal, set: &SetSchemaFloor) -> [u8; 16] {
    let mut parts = Parts::new(7, principal);
    let purpose = set.floor.purpose.as_ref().map_or("", PurposeName::as_str);
    parts.part(purpose.as_bytes());
    parts.part(&set.floor.version.to_be_bytes());
    parts.finish()
}

/// The change, as it is stored. How far an override may reach is not the caller's to say.
pub(super) fn propose(principal: &Principal, propose: &Propose) -> [u8; 16] {
    let mut parts = Parts::new(8, principal);
    parts.part(&proposed_out(&propose.change).encode_to_vec());
    parts.finish()
}

/// Which change.
pub(super) fn approve(principal: &Principal, approve: &Approve) -> [u8; 16] {
    reference(9, principal, approve.change_id, approve.kind)
}

/// Which change.
pub(super) fn withdraw(principal: &Principal, withdraw: &Withdraw) -> [u8; 16] {
    reference(10, principal, withdraw.change_id, withdraw.kind)
}

fn reference(number: u8, principal: &Principal, id: EventId, kind: ChangeKind) -> [u8; 16] {
    let mut parts = Parts::new(number, principal);
    parts.part(id.0.as_bytes());
    parts.part(&[u8::from(kind == ChangeKind::Override)]);
    parts.finish()
}
