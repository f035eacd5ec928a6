//! Questions that are asked together: those that can be decided are parted from those that cannot, and the answers put back in order.

use tokio::time::Instant;

use super::{Api, status::Failure};
use crate::{
    admission::{Admissible as _, Caller},
    authority::Check,
    domain::{PurposeName, Refusal, ServiceName, Verdict},
    proto::v1::{CheckRequest, CheckResponse, ItemError},
};

/// After so many signatures others get their turn.
const STAMPS_IN_A_ROW: usize = 32;

/// A check, and what its answer is to look like.
pub(super) struct Asked {
    pub(super) check: Check,
    pub(super) stamp: Stamp,
}

/// Whether the answer is to carry a stamp.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    Wanted,
    Unwanted,
}

/// Where the answer to an item comes from: the next verdict (with a stamp or without), or a failure that showed before anything was
/// asked.
pub(super) type Place = Result<Stamp, Failure>;

/// Parts the checks that can be asked, and that the caller may ask, from those that cannot, and keeps their order.
pub(super) fn sort_out(
    caller: &Caller,
    items: impl Iterator<Item = Result<Asked, Failure>>,
) -> (Vec<Check>, Vec<Place>) {
    let mut checks = Vec::new();
    let places = items
        .map(|item| {
            let Asked { check, stamp } = item?;
            caller.may(&check.needs())?;
            checks.push(check);
            Ok(stamp)
        })
        .collect();
    (checks, places)
}

impl Api {
    /// Converts a question.
    pub(super) fn asked(&self, request: CheckRequest) -> Result<Asked, Failure> {
        let service = ServiceName::parse(&request.service)?;
        let subject = self.subject(&request.namespace, request.identifiers)?;
        let purpose = PurposeName::parse(&request.purpose)?;
        Ok(Asked {
            check: Check {
                subject,
                purpose,
                service,
                schema_version: request.schema_version,
                min_revision: request.min_revision,
            },
            stamp: if request.want_stamp {
                Stamp::Wanted
            } else {
                Stamp::Unwanted
            },
        })
    }

    /// Puts verdicts and failures back into the order of the questions.
    pub(super) async fn put_back(
        &self,
        places: Vec<Place>,
        verdicts: Vec<(Check, Result<Verdict, Refusal>)>,
        deadline: Instant,
    ) -> Vec<Result<CheckResponse, ItemError>> {
        let wants = |place: &Place| matches!(place, Ok(Stamp::Wanted));
        let signer = self.signer(places.iter().any(wants), deadline).await;
        let mut verdicts = verdicts.into_iter();
        let mut results = Vec::with_capacity(places.len());
        let mut in_a_row = 0;
        for place in places {
            let signer = signer.as_ref().filter(|_| wants(&place));
            // There are as many verdicts as places for them; should one ever be missing, the item has no answer.
            let answer = place.and_then(|_| {
                let (check, verdict) = verdicts.next().ok_or(Failure::Panicked)?;
                self.count_answer(&check.service, check.schema_version, verdict.as_ref());
                Ok(self.answer(&check, &verdict?, signer))
            });
            results.push(answer.map_err(ItemError::from));
            in_a_row += usize::from(signer.is_some());
            if in_a_row == STAMPS_IN_A_ROW {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
        }
        results
    }
}
