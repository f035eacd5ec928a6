//! The first thing that every call meets: who is it, and may that one make this kind of call at all?
//!
//! It stands before anything of the call's body is read, so that nobody who is not known gets a message decoded. What
//! exactly a caller may ask, in which namespace and for which purpose, is judged by `admission` once the message is
//! understood.
//!
//! A call of gRPC is known by its path, and all of this happens at once. Which call a path of REST stands for is known once
//! it is routed: there the gate finds out who calls, and the route's [`row`] whether that one may.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{Request as AxumRequest, State},
    http::{Request, Response, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response as AxumResponse},
    routing::MethodRouter,
};
use futures::{FutureExt as _, future::BoxFuture};
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Layer, Service};

use super::{
    calls::{self, StoodFor},
    shield::{speaks_grpc, told},
    status::{Failure, Transport},
};
use crate::{
    admission::{
        Bearer, Caller, Denied, Need,
        Permission::{
            self, Audit, Check, Cluster, Erase, Import, OptIn, OptOut, Override, Registry, Report,
            Watch,
        },
        Principals, Unauthenticated,
    },
    metrics::Meters,
    net::Remote,
};

/// What anybody may ask for: paths, and beginnings of paths.
const OPEN: [&str; 9] = [
    "/checkpoint",
    "/journal/keys",
    "/refrain.v1.JournalService/GetCheckpoint",
    "/refrain.v1.JournalService/ListJournalKeys",
    "/livez",
    "/readyz",
    "/openapi.json",
    "/docs",
    "/refrain.v1.StampService/ListKeys",
];
const OPEN_BELOW: [&str; 6] = [
    "/docs/",
    "/.well-known/",
    // A link carries its own proof.
    "/u/",
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// The calls of ours begin so.
const OURS: &str = "/refrain.v1.";

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Anybody, known or not.
    Anybody,
    /// Whoever is known, as far as the route's row lets that one.
    AsTheRowSays,
    /// Whoever holds one of these permissions, for anything anywhere.
    Holds(&'static [Permission]),
    /// Nobody: there is no such call.
    Nobody,
}

/// Who may make the call at a path.
fn who_may_call(path: &str) -> Who {
    if OPEN.contains(&path) || OPEN_BELOW.iter().any(|below| path.starts_with(below)) {
        return Who::Anybody;
    }
    match path.strip_prefix(OURS).map(permissions) {
        None => Who::AsTheRowSays,
        Some(Some(permissions)) => Who::Holds(permissions),
        Some(None) => Who::Nobody,
    }
}

/// Which permissions the calls of `refrain.v1` take, one of those named. What is missing here is refused as unknown, so
/// that no new call goes without.
const fn permissions(call: &str) -> Option<&'static [Permission]> {
    Some(match call.as_bytes() {
        b"DecisionService/Check"
        | b"DecisionService/BatchCheck"
        | b"DecisionService/CheckStream"
        | b"PreferenceService/GetPreferences"
        | b"PreferenceService/GetTokens"
        | b"RegistryService/ListPurposes"
        | b"RegistryService/ListNamespaces"
        | b"StampService/Verify" => &[Check],
        b"PreferenceService/SetOptOut"
        | b"PreferenceService/ReportSignal"
        | b"PreferenceService/CreateLink" => &[OptOut],
        b"PreferenceService/SetOptIn" => &[OptIn],
        b"PreferenceService/SetPreferences" => &[OptOut, OptIn],
        b"PreferenceService/ImportOptOuts" | b"PreferenceService/GetImport" => &[Import],
        b"PreferenceService/EraseEvidence" => &[Erase],
        b"WatchService/Watch" => &[Watch],
        b"MonitorService/ReportProcessing" => &[Report],
        b"PreferenceService/ListEvents"
        | b"MonitorService/ListViolations"
        | b"MonitorService/GetScores"
        | b"MonitorService/ListAnomalies"
        | b"MonitorService/GetAnomalySettings"
        | b"AuditService/Export"
        | b"RegistryService/ListServices"
        | b"JournalService/GetReceipt" => &[Audit],
        b"RegistryService/PutPurpose"
        | b"RegistryService/AddNamespace"
        | b"RegistryService/ConfigureNamespace"
        | b"RegistryService/SetSchemaFloor"
        | b"RegistryService/ProposeChange"
        | b"RegistryService/ApproveChange"
        | b"RegistryService/WithdrawChange"
        | b"RegistryService/ListPendingChanges"
        | b"MonitorService/ConfigureAnomalies" => &[Registry],
        b"OverrideService/ProposeOverride"
        | b"OverrideService/ApproveOverride"
        | b"OverrideService/RevokeOverride"
        | b"OverrideService/ListOverrides" => &[Override],
        b"ClusterService/Init"
        | b"ClusterService/Add"
        | b"ClusterService/Remove"
        | b"ClusterService/Status"
        | b"ClusterService/TransferLeader" => &[Cluster],
        _ => return None,
    })
}

/// The name of a call of gRPC, by its path; none where it is none of the contract's.
pub(super) fn name_of(path: &str) -> Option<&str> {
    let call = path.strip_prefix(OURS)?;
    let open = OPEN.contains(&path);
    (open || permissions(call).is_some()).then_some(call)
}

/// Who calls, as the gate found it out, until the route's row has let that one in. Handlers look for a [`Caller`], so that
/// a route without a row knows nobody.
#[derive(Clone)]
struct Known(Caller);

/// A call that a route stands for, and who may make it: whoever holds one of some permissions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The call's name in the contract, under which it is counted.
    pub(super) call: &'static str,
    /// Who may make it.
    pub(super) permissions: &'static [Permission],
}

impl Row {
    /// The row of a call of the contract. One that is not in the table does not compile.
    pub(super) const fn of(call: &'static str) -> Self {
        match permissions(call) {
            Some(permissions) => Self { call, permissions },
            None => panic!("there is no such call"),
        }
    }

    /// Lets nobody to these handlers but whom the row lets in.
    pub(super) fn before<S>(self, handlers: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        handlers.route_layer(middleware::from_fn_with_state(self, let_in))
    }
}

async fn let_in(State(row): State<Row>, request: AxumRequest, next: Next) -> AxumResponse {
    let mut answer = match known(row, request) {
        Ok(request) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    answer.extensions_mut().insert(StoodFor(row.call));
    answer
}

fn known(row: Row, mut request: AxumRequest) -> Result<AxumRequest, Failure> {
    let known = request.extensions_mut().remove::<Known>();
    let Known(caller) = known.ok_or(Unauthenticated::TokenMissing)?;
    holds_one(&caller, row.permissions)?;
    request.extensions_mut().insert(caller);
    Ok(request)
}

/// Puts a [`Gate`] before a service.
#[derive(Clone)]
pub(crate) struct GateLayer {
    meters: Meters,
    principals: Arc<Principals>,
    insecure: bool,
}

impl GateLayer {
    /// A layer that knows these principals.
    pub(crate) fn new(principals: Arc<Principals>, insecure: bool, meters: Meters) -> Self {
        Self {
            meters,
            principals,
            insecure,
        }
    }

    /// Judges a call by its path and headers, and leaves with it what was found out.
    fn judge<T>(&self, request: &mut Request<T>) -> Result<(), Failure> {
        let who = who_may_call(request.uri().path());
        if who == Who::Anybody {
            return Ok(());
        }
        let authorization = request.headers().get_all(header::AUTHORIZATION);
        let bearer = Bearer::of(authorization.iter().map(header::HeaderValue::as_bytes));
        let remote = request.extensions().get::<Remote>();
        let remote = remote.and_then(|Remote(address)| *address);
        let caller = self
            .principals
            .authenticate(bearer, remote, self.insecure)?;
        match who {
            Who::Anybody => {}
            Who::Nobody => return Err(Transport::MethodUnknown.into()),
            Who::AsTheRowSays => {
                request.extensions_mut().insert(Known(caller));
            }
            Who::Holds(permissions) => {
                holds_one(&caller, permissions)?;
                request.extensions_mut().insert(caller);
            }
        }
        Ok(())
    }
}

/// Whether the caller holds one of some permissions.
fn holds_one(caller: &Caller, permissions: &[Permission]) -> Result<(), Denied> {
    if permissions.iter().any(|one| caller.holds(*one)) {
        return Ok(());
    }
    let missing = permissions.first().copied().unwrap_or(Cluster);
    let principal = caller.principal().clone();
    Err(Denied::of(principal, &Need::anywhere(missing)))
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind the gate: what it sees of a [`Caller`] is in the request's extensions.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    layer: GateLayer,
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.layer.judge(&mut request) {
            Ok(()) => {
                // Nothing behind the gate needs the token, and what is not there cannot be logged.
                request.headers_mut().remove(header::AUTHORIZATION);
                self.inner.call(request).boxed()
            }
            Err(failure) => {
                let grpc = speaks_grpc(request.headers());
                let response = told(failure, grpc);
                let path = grpc.then(|| request.uri().path());
                calls::count(&self.layer.meters, path, &response, Instant::now());
                std::future::ready(Ok(response)).boxed()
            }
        }
    }
}
