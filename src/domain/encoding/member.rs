//! Members, and what was done with them.

use super::DecodeError;
use crate::domain::member::{Became, Member, PeerAddress, RecordMembership};
use crate::proto::persisted::{self, MembershipAct};

pub(crate) fn record_out(record: &RecordMembership) -> persisted::RecordMembership {
    let act = match record.became {
        Became::Learner => MembershipAct::Learner,
        Became::Voter => MembershipAct::Voter,
        Became::Removed { forced: false } => MembershipAct::Removed,
        Became::Removed { forced: true } => MembershipAct::RemovedByForce,
    };
    persisted::RecordMembership {
        node_id: record.node_id,
        peer_address: record.peer_address.to_string(),
        act: act.into(),
    }
}

pub(crate) fn record(
    message: &persisted::RecordMembership,
) -> Result<RecordMembership, DecodeError> {
    let became = match MembershipAct::try_from(message.act) {
        Ok(MembershipAct::Learner) => Became::Learner,
        Ok(MembershipAct::Voter) => Became::Voter,
        Ok(MembershipAct::Removed) => Became::Removed { forced: false },
        Ok(MembershipAct::RemovedByForce) => Became::Removed { forced: true },
        Ok(MembershipAct::Unspecified) | Err(_) => {
            return Err(DecodeError::Damaged("what was done with a member"));
        }
    };
    Ok(RecordMembership {
        node_id: message.node_id,
        peer_address: address(&message.peer_address)?,
        became,
    })
}

pub(crate) fn member_out(member: &Member) -> persisted::KnownMember {
    persisted::KnownMember {
        node_id: member.node_id,
        peer_address: member.peer_address.to_string(),
        voter: member.voter,
    }
}

pub(crate) fn member(message: &persisted::KnownMember) -> Result<Member, DecodeError> {
    Ok(Member {
        node_id: message.node_id,
        peer_address: address(&message.peer_address)?,
        voter: message.voter,
    })
}

fn address(text: &str) -> Result<PeerAddress, DecodeError> {
    PeerAddress::parse(text).ok_or(DecodeError::Damaged("a member's address"))
}
