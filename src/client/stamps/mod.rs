//! Stamps: asking the authority about one, reading one, and holding it against a live watch.
//!
//! A stamp is a signed decision that travels inside a message. Whoever gets the message has three ways to use it:
//!
//! | | says | costs |
//! | --- | --- | --- |
//! | [`Client::verify_stamp`] | ALLOW or DENY, now | a call |
//! | [`Stamps`] | DENY, or *allowed as of revision r* | nothing, once the keys are read |
//! | [`LiveStamps`] | go ahead, or DENY with its cause | one watch and one call a second, whatever the number of stamps |
//!
//! # When a stamp is a go-ahead
//!
//! A genuine, unexpired stamp proves that the cluster allowed something at revision *r*: with everything taken into
//! account that had happened up to *r*. It is a go-ahead where it is certain that nothing after *r* would have changed that
//! answer. So [`LiveStamps`] has to know **everything** after *r*, **up to a moment that is not long ago**, and has to know
//! **what could change an answer**.
//!
//! *Everything after r.* It asks the cluster for its revision *b*, by a linearizable call, and then watches from *b* + 1. The
//! watch brings every event once and in order; revisions are dense, so that a gap shows, and after one everything begins
//! anew. A stamp with *r* < *b* is denied: what happened between is not known. Where a connection breaks, the watch is taken
//! up after the last revision that was seen, at any node, and nothing is a go-ahead until it is live again. A stamp with
//! an *r* that the watch has not come to waits for it for a moment and is then denied.
//!
//! *Up to a moment.* That a watch is silent, or sends heartbeats, does not prove that nothing happened: its node may be cut off
//! from the others and not know it, and a heartbeat may have lain in a buffer while this program was stopped. So,
//! beside the watch, the cluster is asked again and again how far it is, by a linearizable call. An answer of revision *q* to
//! a question that was asked at the moment *t* says that all that was acknowledged before *t* is within *q*; once the watch
//! has seen *q*, all of it is known here. What counts is *t*, taken by this program before it asked: how long the answer
//! travelled, what any node's clock says and when anything was delivered do not matter. A go-ahead is given only while *t*,
//! and the last sign of life of the watch, are at most three heartbeats and at most five seconds ago. Both the monotonic
//! clock and the wall clock must say so, since the first may stand still while the machine sleeps.
//!
//! *What could change an answer.* An event that names one of the stamp's tokens, whatever it says; and what concerns
//! everybody: a purpose, a schema floor, a namespace's settings, the feature level, and every kind of event that this
//! client does not know. Of the kinds that it knows, those that cannot turn an ALLOW into a DENY are let be: an override only
//! ever allows, and no stamp is made under one, so that the end of one takes no stamp's ground away. Time alone changes
//! no other answer. A schema floor binds this program too, not only the one that asked for the stamp: the floors are
//! read when they have changed, and until then nothing is a go-ahead.
//!
//! *What is forgotten.* Changed tokens are remembered for the life of a stamp and some more, and only so many. When one is
//! forgotten, for either reason, stamps from before that change are denied from then on: forgetting denies, and never allows,
//! whatever the clocks say. A stamp's life is judged by the later of this machine's clock and the watched node's.
//!
//! So what was acknowledged more than five seconds ago is always obeyed. What was acknowledged since may not be: who needs more
//! than that asks the authority, right before the processing. And a stamp says whom it is about, not whom the data is
//! about: [`Whose`] has them compared.

mod denied;
mod floors;
mod follow;
mod keys;
mod ledger;
mod live;
mod reader;
#[cfg(test)]
mod tests;

pub use self::{
    denied::NoGoAhead,
    live::{GoAhead, LiveStamps, LiveStampsBuilder, Whose},
    reader::Stamps,
};

use std::time::Duration;

use super::{
    ANSWER_BYTES_MAX, Client,
    call::{Effect, timed},
    check::{Allowed, Denied, judge},
    endpoints::Channel,
    error::Error,
};
use crate::{
    proto::v1::{
        CheckResponse, ListStampKeysRequest, ListStampKeysResponse, VerifyStampRequest,
        stamp_service_client::StampServiceClient,
    },
    stamp::Wanted,
};

impl Client {
    /// Asks whether a stamp is genuine and what the decision is now: a check like any other, of the stamp's tokens. Put
    /// into `identifiers` whom the data is about, wherever anything but the stamp says so: a stamp of somebody else is then
    /// an error, `STAMP_SUBJECT_DIFFERS`.
    ///
    /// # Errors
    /// Everything but an ALLOW: a denial by the cluster, a stamp that is forged, foreign or expired, no answer in time.
    pub async fn verify_stamp(&self, mut request: VerifyStampRequest) -> Result<Allowed, Denied> {
        self.tenant(&mut request.namespace);
        self.caller(&mut request.service, &mut request.schema_version);
        let answer = self
            .send(Effect::Reads, request, |channel, request| async move {
                stamps(channel).verify(request).await
            })
            .await?;
        let stamped_revision = answer.stamped_revision;
        let answer = CheckResponse {
            decision: answer.decision,
            reason: answer.reason,
            event_id: answer.event_id,
            revision: answer.revision,
            decision_id: answer.decision_id,
            evaluated_at: answer.evaluated_at,
            stamp: String::new(),
            override_id: answer.override_id,
        };
        judge(answer, stamped_revision)
    }

    /// A reader of stamps, which keeps the cluster's public keys at hand.
    pub fn stamps(&self) -> Stamps {
        Stamps::new(self.clone())
    }

    /// Begins to hold stamps against a watch of the cluster: see [`stamps`](self#when-a-stamp-is-a-go-ahead). Needs the
    /// permissions `watch` and `check`.
    pub fn live_stamps(&self) -> LiveStampsBuilder {
        LiveStampsBuilder::new(self.clone())
    }

    /// The public keys that stamps are signed with.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn stamp_keys(&self) -> Result<ListStampKeysResponse, Error> {
        let settings = &self.0.settings;
        self.stamp_keys_within((settings.deadline, settings.attempt_timeout))
            .await
    }

    /// As [`Client::stamp_keys`], with a deadline for the call and one for each attempt.
    async fn stamp_keys_within(
        &self,
        limits: (Duration, Duration),
    ) -> Result<ListStampKeysResponse, Error> {
        self.call_within(Effect::Reads, limits, |channel, limit| async move {
            let request = timed(ListStampKeysRequest {}, limit);
            stamps(channel).list_keys(request).await
        })
        .await
    }

    /// Fills in the tenant.
    fn of_tenant<'a>(&'a self, wanted: Wanted<'a>) -> Wanted<'a> {
        match wanted.namespace {
            "" => Wanted {
                namespace: &self.0.settings.namespace,
                ..wanted
            },
            _ => wanted,
        }
    }
}

fn stamps(channel: Channel) -> StampServiceClient<Channel> {
    StampServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
