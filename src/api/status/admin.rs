//! The rows of the table for acts on the cluster itself.

use tonic::Code;

use super::{CORRECT, Row, unavailable_code};
use crate::authority::{AdminError, WriteError};

impl Row {
    pub(super) fn admin(error: &AdminError) -> Self {
        let (code, reason, what_to_do) = match error {
            AdminError::Write(WriteError::Refused(refusal)) => return Self::refused(refusal),
            AdminError::Write(WriteError::NotApplied { why }) => return Self::unavailable(*why),
            AdminError::Write(WriteError::Unknown { why }) => {
                return Self::unknown(
                    unavailable_code(*why),
                    "see `refrain cluster status`, and call again if it was not done",
                );
            }
            AdminError::NodeUnknown { .. } => (Code::NotFound, "NODE_UNKNOWN", CORRECT),
            AdminError::NodeAmbiguous { .. } => (Code::InvalidArgument, "NODE_AMBIGUOUS", CORRECT),
            AdminError::AddressInvalid { .. } => {
                (Code::InvalidArgument, "ADDRESS_INVALID", CORRECT)
            }
            AdminError::Unreachable { .. } => (
                Code::Unavailable,
                "NODE_UNREACHABLE",
                "start the node, or correct the address, and call again",
            ),
            AdminError::OtherCluster { .. } => (
                Code::FailedPrecondition,
                "OTHER_CLUSTER",
                "give the node an empty data folder and start it with --join",
            ),
            AdminError::TokenKeyDiffers { .. } => (
                Code::FailedPrecondition,
                "TOKEN_KEY_MISMATCH",
                "start the node with the cluster's token key",
            ),
            AdminError::FeatureLevelTooLow { .. } => (
                Code::FailedPrecondition,
                "FEATURE_LEVEL_TOO_LOW",
                "upgrade the node's program first",
            ),
            AdminError::JournalAtRisk => (
                Code::FailedPrecondition,
                "JOURNAL_AT_RISK",
                "wait until more members hold the whole journal, or force it and lose history",
            ),
            AdminError::LastVoter => (
                Code::FailedPrecondition,
                "LAST_VOTER",
                "add another voter first",
            ),
            AdminError::NotAVoter { .. } => {
                (Code::FailedPrecondition, "NOT_A_VOTER", "name a voter")
            }
            AdminError::NotCaughtUp { .. } => (
                Code::FailedPrecondition,
                "NOT_CAUGHT_UP",
                "add the node again when it has caught up",
            ),
            AdminError::AddressTaken { .. } => (
                Code::FailedPrecondition,
                "ADDRESS_TAKEN",
                "remove the member whose data was wiped, and add the node again",
            ),
            AdminError::NoOtherVoter => (
                Code::FailedPrecondition,
                "NO_OTHER_VOTER",
                "add another voter first",
            ),
            AdminError::TransferFailed { .. } => (
                Code::Aborted,
                "TRANSFER_FAILED",
                "see `refrain cluster status`, and call again",
            ),
            AdminError::TooManyMembers => (
                Code::FailedPrecondition,
                "TOO_MANY_MEMBERS",
                "remove a member first",
            ),
            AdminError::ChangeInProgress => (
                Code::Aborted,
                "CHANGE_IN_PROGRESS",
                "call again when the other change is done",
            ),
        };
        Self::not_applied(code, reason, what_to_do)
    }
}
