//! Who belongs to the cluster, as it was recorded: what was done with the members is events, each once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use super::apply::Events;
use super::fold::inconsistent;
use super::hash;
use crate::domain::command::Command;
use crate::domain::event::{Detail, EventKind};
use crate::domain::member::{Member, RecordMembership};
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::refusal::Refusal;
use crate::limits;

/// The members that are recorded, by id.
pub(super) type Members = BTreeMap<u64, Member>;

impl State {
    /// The members that are recorded, by id. Who belongs to the cluster is for Raft to say: this is what the journal knows of it.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// What is recorded of a node; none where it is no member.
    pub fn member(&self, node_id: u64) -> Option<&Member> {
        self.members.get(&node_id)
    }

    /// Records come from whoever carried the act out and from leaders that miss one, so that there is no request to name: what
    /// is recorded already is no event.
    pub(super) fn record_membership(
        &mut self,
        command: &Command,
        record: &RecordMembership,
        events: &mut Events,
    ) -> Reply {
        let standing = self.member(record.node_id);
        if standing == record.member().as_ref() {
            return Ok(self.done());
        }
        if standing.is_none() && self.members.len() >= limits::MEMBERS {
            return Err(Refusal::RegistryFull {
                what: "members",
                limit: limits::MEMBERS,
            });
        }
        let detail = Detail::Membership(record.clone());
        let event = self.event(command, EventKind::Membership, detail);
        self.record(event, events)?;
        Ok(self.done())
    }

    fn done(&self) -> Outcome {
        Outcome::Done {
            revision: self.revision,
        }
    }

    pub(super) fn fold_membership(&mut self, record: &RecordMembership) -> Result<(), Refusal> {
        let before = if let Some(member) = record.member() {
            self.put_member(member)
        } else {
            let members = Arc::make_mut(&mut self.members);
            let gone = members.remove(&record.node_id);
            if gone.is_none() {
                return inconsistent("the end of a member that was none");
            }
            gone
        };
        if let Some(before) = before {
            self.sum.sub(hash::member(&before));
        }
        Ok(())
    }

    /// Counts a member in; returns what was known of it before, which still counts.
    pub(super) fn put_member(&mut self, member: Member) -> Option<Member> {
        self.sum.add(hash::member(&member));
        Arc::make_mut(&mut self.members).insert(member.node_id, member)
    }
}
