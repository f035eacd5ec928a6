//! Who belongs to the cluster: where each member is found, and what was done with it.

use std::fmt;

use crate::limits;

/// Where a member listens for the others, as it is kept: visible ASCII, at most [`limits::MEMBER_ADDRESS_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerAddress(String);

impl PeerAddress {
    /// What of a text can be kept.
    pub fn of(text: &str) -> Self {
        let visible = text.chars().filter(char::is_ascii_graphic);
        Self(visible.take(limits::MEMBER_ADDRESS_BYTES).collect())
    }

    /// A text that can be kept as it is; none otherwise.
    pub fn parse(text: &str) -> Option<Self> {
        let kept = Self::of(text);
        (kept.0 == text).then_some(kept)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub node_id: u64,
    /// Where it listens for the others.
    pub peer_address: PeerAddress,
    /// Whether it votes.
    pub voter: bool,
}

/// What became of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Became {
    /// A member that gets everything and has no vote.
    Learner,
    /// A member that votes.
    Voter,
    /// It was taken out.
    Removed {
        /// Even where the journal was at risk.
        forced: bool,
    },
}

/// Records what was done with a member, after it was done. Also the detail of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMembership {
    /// The node.
    pub node_id: u64,
    /// Where it listens for the others, or did.
    pub peer_address: PeerAddress,
    /// What became of it.
    pub became: Became,
}

impl RecordMembership {
    /// The member that it is from here on; none where it was taken out.
    pub fn member(&self) -> Option<Member> {
        let voter = match self.became {
            Became::Learner => false,
            Became::Voter => true,
            Became::Removed { .. } => return None,
        };
        Some(Member {
            node_id: self.node_id,
            peer_address: self.peer_address.clone(),
            voter,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_far_as_it_is_one() {
        for good in ["127.0.0.1:7401", "[::1]:7401", "node-1.example.org:1", ""] {
            assert_eq!(PeerAddress::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(limits::MEMBER_ADDRESS_BYTES + 1);
        for (bad, kept) in [("a b\n:1", "ab:1"), ("\u{1b}[31mü:1", "[31m:1")] {
            assert_eq!(PeerAddress::parse(bad), None);
            assert_eq!(PeerAddress::of(bad).as_str(), kept);
        }
        assert_eq!(PeerAddress::parse(&long), None);
        assert_eq!(PeerAddress::of(&long).as_str(), &long[1..]);
    }
}
