//! The edge: thin gRPC handlers that read like the data flow, conversions, one table of statuses, probes.

mod anomaly;
mod audit;
mod calls;
mod changes;
mod cluster;
mod convert;
mod counting;
mod deadline;
mod decision;
pub mod decision_id;
mod derived;
mod evidence;
mod floors;
mod found;
mod gate;
mod health;
mod import;
mod input;
mod journal;
mod judging;
pub mod link;
mod metrics;
mod monitor;
mod overrides;
mod preference;
mod proofs;
mod questions;
mod registered;
mod registry;
mod rest;
mod routes;
mod setting;
mod shield;
mod stamp;
mod status;
mod stream;
mod timely;
mod traced;
mod watch;

use std::{sync::Arc, time::Duration};

use axum::http::{Extensions, HeaderMap};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use self::{deadline::Deadline, decision_id::DecisionKey, link::LinkKey, status::Failure};
use crate::{
    admission::{Caller, Principals, Unauthenticated},
    authority::Authority,
    clock::{Clock, Entropy},
    config::Deadlines,
    domain::{RequestId, TokenKey},
    feed::Feed,
    limits,
    metrics::Meters,
};

pub use self::routes::Edge;
#[cfg(test)]
pub(crate) use self::{shield::ShieldLayer, traced::TracedLayer};

/// What the handlers need. Everything comes from outside.
pub struct Parts {
    /// The doors to the state.
    pub authority: Authority,
    /// The committed events.
    pub feed: Feed,
    /// Makes tokens of identifiers.
    pub token_key: TokenKey,
    /// Authenticates decision ids.
    pub decision_key: DecisionKey,
    /// Signs links.
    pub link_key: LinkKey,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// How long stamps live.
    pub stamp_life: Duration,
    /// How far from now an override may end, in minutes.
    pub override_max_minutes: u32,
    /// Who may call.
    pub principals: Arc<Principals>,
    /// Whether callers from elsewhere are taken where no principals are known.
    pub insecure: bool,
    /// Counts what is asked and answered.
    pub meters: Meters,
    /// Ends long-lived calls when the node drains.
    pub drain: CancellationToken,
}

/// What every handler holds.
#[derive(Clone)]
struct Api(Arc<Shared>);

struct Shared {
    parts: Parts,
    snapshots: Arc<Semaphore>,
    /// Who has it may judge what was processed.
    judging: Arc<Semaphore>,
}

/// Who calls, and until when.
#[derive(Clone)]
struct Call {
    caller: Caller,
    deadline: Deadline,
}

impl Api {
    fn new(parts: Parts) -> Self {
        let snapshots = Arc::new(Semaphore::new(limits::SNAPSHOTS_READ));
        let judging = Arc::new(Semaphore::new(1));
        Self(Arc::new(Shared {
            parts,
            snapshots,
            judging,
        }))
    }

    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    fn authority(&self) -> &Authority {
        &self.0.parts.authority
    }

    /// The first step of every call, whatever it came in by: who is it, and how long may it take?
    fn call(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Call, Unauthenticated> {
        // The gate has found out. A call that came around it is nobody's.
        let caller = extensions.get::<Caller>();
        Ok(Call {
            caller: caller.cloned().ok_or(Unauthenticated::TokenMissing)?,
            deadline: Deadline::of(headers, self.parts().deadlines),
        })
    }

    /// Takes a gRPC call apart.
    fn open<Q>(&self, request: Request<Q>) -> Result<(Call, Q), Failure> {
        let call = self.call(request.metadata().as_ref(), request.extensions())?;
        Ok((call, request.into_inner()))
    }

    /// The gRPC codec of a call with one question and one answer: `handle` does the work.
    async fn unary<'a, Q, A, F>(
        &'a self,
        request: Request<Q>,
        handle: impl FnOnce(&'a Self, Call, Q) -> F,
    ) -> Result<Response<A>, Status>
    where
        F: Future<Output = Result<A, Failure>>,
    {
        let (call, question) = self.open(request)?;
        Ok(Response::new(handle(self, call, question).await?))
    }

    /// A fresh request id, for a caller that brought none. It is made here and not by the leader: this node tries again when
    /// its call to the leader is lost on the way, and a leader that made the ids would make another the second time.
    fn fresh_request_id(&self) -> RequestId {
        let mut random = [0; 10];
        self.parts().entropy.fill(&mut random);
        RequestId::new(self.authority().time_for_ids(), random)
    }
}
