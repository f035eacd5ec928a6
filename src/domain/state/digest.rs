//! What a request asks for, in 16 bytes: a retry is known by it, and so is an id that is used for something else.

use sha2::{Digest as _, Sha256};

use crate::domain::command::{AddNamespace, Change, PutPurpose, SetPreference, Signal};
use crate::domain::names::Principal;
use crate::domain::token::first_half;

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

    fn finish(self) -> [u8; 16] {
        first_half(&self.0.finalize().into())
    }
}

/// What changes, for whom and why. The schema version and the revision to be reached say when, not what, so that they
/// do not count; nor do the bytes of sealed evidence, which differ at each sealing.
pub(super) fn set_preference(principal: &Principal, set: &SetPreference) -> [u8; 16] {
    let mut parts = Parts::new(1, principal);
    parts.part(set.namespace.as_str().as_bytes());
    parts.count(set.tokens.len());
    for subject in &set.tokens {
        parts.part(subject.identifier_type.as_str().as_bytes());
        parts.part(&subject.token.generation.to_be_bytes());
        parts.part(&subject.token.bytes);
    }
    parts.count(set.purposes.len());
    for purpose in &set.purposes {
        parts.part(purpose.as_str().as_bytes());
    }
    let change = match set.change {
        Change::OptOut => 1,
        Change::OptIn => 2,
    };
    let signal = match set.signal {
        Signal::User => 1,
        Signal::Gpc => 2,
        Signal::ListUnsubscribe => 3,
        Signal::Import => 4,
        Signal::Operator => 5,
        Signal::Probe => 6,
    };
    parts.part(&[change, signal]);
    if let Some(sealed) = &set.evidence {
        parts.part(&sealed.digest);
    }
    parts.finish()
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
