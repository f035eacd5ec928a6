//! The limits of what is done with the cluster's members.

use std::time::Duration;

/// Members of a cluster, learners among them. More: `TOO_MANY_MEMBERS`, and `REGISTRY_FULL` for the record of one.
pub const MEMBERS: usize = 256;

/// Bytes of a member's address as it is recorded: a name of 253, a port, and room. What is longer is cut off.
pub const MEMBER_ADDRESS_BYTES: usize = 300;

/// How long an act on a member waits for its turn. Longer: `CHANGE_IN_PROGRESS`.
pub const MEMBERSHIP_TURN: Duration = Duration::from_secs(5);

/// How long recording an act on a member may take; then the leader does it later, as the cluster.
pub const MEMBERSHIP_RECORD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a change of the membership stands half done before the leader takes the second step by itself.
pub const HALF_DONE_FOR: Duration = Duration::from_secs(5);

/// How long a member may differ from what is recorded before the leader records it as the cluster.
pub const UNRECORDED_FOR: Duration = Duration::from_secs(5);
