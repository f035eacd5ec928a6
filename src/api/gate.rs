//! The first thing that every call meets: who is it, and may that one make this kind of call at all?
//!
//! It stands before anything of the call's body is read, so that nobody who is not known gets a message decoded. What
//! exactly a caller may ask, in which namespace and for which purpose, is judged by `admission` once the message is
//! understood.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::http::{Request, Response, header};
use futures::{FutureExt as _, future::BoxFuture};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{
    shield::{speaks_grpc, told},
    status::{Failure, Transport},
};
use crate::{
    admission::{
        Bearer, Caller, Denied, Need,
        Permission::{
            self, Audit, Check, Cluster, Import, OptIn, OptOut, Override, Registry, Watch,
        },
        Principals,
    },
    net::Remote,
};

/// What anybody may ask for: paths, and beginnings of paths.
const OPEN: [&str; 5] = [
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
    /// Whoever is known.
    Known,
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
        None => Who::Known,
        Some(Some(permissions)) => Who::Holds(permissions),
        Some(None) => Who::Nobody,
    }
}

/// Which permissions the calls of `refrain.v1` take, one of those named. What is missing here is refused as unknown, so
/// that no new call goes without.
fn permissions(method: &str) -> Option<&'static [Permission]> {
    Some(match method {
        "DecisionService/Check"
        | "DecisionService/BatchCheck"
        | "DecisionService/CheckStream"
        | "PreferenceService/GetPreferences"
        | "PreferenceService/GetTokens"
        | "RegistryService/ListPurposes"
        | "RegistryService/ListNamespaces"
        | "StampService/Verify" => &[Check],
        "PreferenceService/SetOptOut"
        | "PreferenceService/ReportSignal"
        | "PreferenceService/CreateLink" => &[OptOut],
        "PreferenceService/SetOptIn" => &[OptIn],
        "PreferenceService/SetPreferences" => &[OptOut, OptIn],
        "PreferenceService/ImportOptOuts" | "PreferenceService/GetImport" => &[Import],
        "WatchService/Watch" => &[Watch],
        "PreferenceService/ListEvents" | "RegistryService/ListServices" => &[Audit],
        "RegistryService/PutPurpose"
        | "RegistryService/AddNamespace"
        | "RegistryService/ConfigureNamespace"
        | "RegistryService/SetSchemaFloor"
        | "RegistryService/ProposeChange"
        | "RegistryService/ApproveChange"
        | "RegistryService/WithdrawChange"
        | "RegistryService/ListPendingChanges" => &[Registry],
        "OverrideService/ProposeOverride"
        | "OverrideService/ApproveOverride"
        | "OverrideService/RevokeOverride"
        | "OverrideService/ListOverrides" => &[Override],
        "ClusterService/Init"
        | "ClusterService/Add"
        | "ClusterService/Remove"
        | "ClusterService/Status"
        | "ClusterService/TransferLeader" => &[Cluster],
        _ => return None,
    })
}

/// Puts a [`Gate`] before a service.
#[derive(Clone)]
pub(crate) struct GateLayer {
    principals: Arc<Principals>,
    insecure: bool,
}

impl GateLayer {
    /// A layer that knows these principals.
    pub(crate) fn new(principals: Arc<Principals>, insecure: bool) -> Self {
        Self {
            principals,
            insecure,
        }
    }

    /// Judges a call by its path and headers; `None` where anybody may make it.
    fn judge<T>(&self, request: &Request<T>) -> Result<Option<Caller>, Failure> {
        let who = who_may_call(request.uri().path());
        if who == Who::Anybody {
            return Ok(None);
        }
        let authorization = request.headers().get_all(header::AUTHORIZATION);
        let bearer = Bearer::of(authorization.iter().map(header::HeaderValue::as_bytes));
        let remote = request.extensions().get::<Remote>();
        let remote = remote.and_then(|Remote(address)| *address);
        let caller = self
            .principals
            .authenticate(bearer, remote, self.insecure)?;
        match who {
            Who::Nobody => return Err(Transport::MethodUnknown.into()),
            Who::Holds(permissions) => holds_one(&caller, permissions)?,
            Who::Known | Who::Anybody => {}
        }
        Ok(Some(caller))
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
        match self.layer.judge(&request) {
            Ok(caller) => {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                // Nothing behind the gate needs the token, and what is not there cannot be logged.
                request.headers_mut().remove(header::AUTHORIZATION);
                self.inner.call(request).boxed()
            }
            Err(failure) => {
                let response = told(failure, speaks_grpc(request.headers()));
                std::future::ready(Ok(response)).boxed()
            }
        }
    }
}
