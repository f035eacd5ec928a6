//! A `tower` layer that lets a request through to a service only with a fresh ALLOW of the authority.
//!
//! The caller says whom and what a request is about; the layer asks, and calls the service for an ALLOW alone. A denial, a
//! refusal, an error and a missed deadline are all answered in the service's place, and so is a request of which
//! nothing says whom it concerns.
//!
//! ```
//! use http::{Request, Response};
//! use refrain::{
//!     client::{Allowed, Client, guard::GuardLayer, identifier},
//!     proto::v1::CheckRequest,
//! };
//! use tower::{Layer as _, Service as _, ServiceExt as _};
//!
//! # use std::sync::Arc;
//! # use refrain::{
//! #     clock::{SystemClock, SystemEntropy},
//! #     config::Config,
//! #     net::{Connector, Listener},
//! #     server::{self, Injected, disk::Disk},
//! #     storage::{log::MemoryLog, memory::MemoryFiles},
//! # };
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let node = server::start(
//! #     Config::in_folder(folder.path()),
//! #     Injected {
//! #         client_listener: Listener::tcp("127.0.0.1:0".parse()?).await?,
//! #         peer_listener: Listener::tcp("127.0.0.1:0".parse()?).await?,
//! #         connector: Connector::tcp(),
//! #         clock: Arc::new(SystemClock),
//! #         entropy: Arc::new(SystemEntropy),
//! #         disk: Disk::in_memory(MemoryLog::new(), MemoryFiles::new(), &SystemEntropy)?,
//! #     },
//! # )
//! # .await?;
//! # let endpoint = format!("http://{}", node.client_address);
//! let client = Client::builder().endpoint(&endpoint).build()?;
//! let guard = GuardLayer::http(client, |request: &Request<String>| {
//!     let account = request.headers().get("x-account")?.to_str().ok()?;
//!     Some(CheckRequest {
//!         identifiers: vec![identifier::value("account", account)],
//!         purpose: "personalization".to_owned(),
//!         ..Default::default()
//!     })
//! });
//! let mut service = guard.layer(tower::service_fn(async |request: Request<String>| {
//!     let allowed = request.extensions().get::<Allowed>();
//!     let revision = allowed.map(|it| it.answer().revision);
//!     Ok::<_, std::convert::Infallible>(Response::new(format!("as of {revision:?}")))
//! }));
//! let answer = service.ready().await?.call(Request::new(String::new())).await?;
//! assert_eq!(answer.status(), 403, "the request named nobody");
//! let named = Request::builder().header("x-account", "4711").body(String::new())?;
//! let answer = service.ready().await?.call(named).await?;
//! assert_eq!(answer.status(), 200, "nobody opted out");
//! # Ok(())
//! # }
//! ```
//!
//! The service must be ready before the layer takes a request (its back-pressure reaches the caller), and stays reserved for
//! that request while the authority is asked. How long that may take is the client's deadline.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::StatusCode;
use tonic::Code;
use tower::{Layer, Service};

use super::{
    Client, Error,
    check::{Allowed, Cause, Denied},
    error::reason,
};
use crate::proto::v1::CheckRequest;

/// Guards services: see the [module](self).
pub struct GuardLayer<Req, Q, A> {
    rules: Rules<Req, Q, A>,
}

/// A guarded service.
pub struct Guard<S, Req, Q, A> {
    inner: S,
    rules: Rules<Req, Q, A>,
}

/// What is done with a request.
struct Rules<Req, Q, A> {
    client: Client,
    question: Arc<Q>,
    denied: Arc<A>,
    hand_over: fn(&mut Req, Allowed),
    others_pass: bool,
}

impl<Req, Q, A> GuardLayer<Req, Q, A> {
    /// Asks `question` of each request, and answers with `denied` in the service's place.
    ///
    /// Where `question` knows of nobody whom the request concerns (`None`), it is denied, with the reason
    /// [`NOBODY_NAMED`](reason::NOBODY_NAMED), unless [`GuardLayer::let_others_pass`] says otherwise.
    pub fn new<Res>(client: Client, question: Q, denied: A) -> Self
    where
        Q: Fn(&Req) -> Option<CheckRequest>,
        A: Fn(Denied) -> Res,
    {
        let rules = Rules {
            client,
            question: Arc::new(question),
            denied: Arc::new(denied),
            hand_over: |_, _| {},
            others_pass: false,
        };
        Self { rules }
    }

    /// Puts the [`Allowed`] where the service finds it.
    #[must_use]
    pub fn hand_over(mut self, hand_over: fn(&mut Req, Allowed)) -> Self {
        self.rules.hand_over = hand_over;
        self
    }

    /// Lets the requests pass for which `question` gives `None`: for a service that also has pages which concern nobody.
    /// Where a request should name somebody and does not, `question` must then give a question without identifiers,
    /// which the authority refuses.
    #[must_use]
    pub fn let_others_pass(mut self) -> Self {
        self.rules.others_pass = true;
        self
    }

    /// Answers a denial with this instead.
    #[must_use]
    pub fn denied<Res, D: Fn(Denied) -> Res>(self, denied: D) -> GuardLayer<Req, Q, D> {
        let rules = Rules {
            client: self.rules.client,
            question: self.rules.question,
            denied: Arc::new(denied),
            hand_over: self.rules.hand_over,
            others_pass: self.rules.others_pass,
        };
        GuardLayer { rules }
    }
}

impl<B, C: Default, Q> GuardLayer<http::Request<B>, Q, fn(Denied) -> http::Response<C>> {
    /// As [`GuardLayer::new`], for HTTP: the service finds the [`Allowed`] in the request's extensions, and a denial is
    /// an answer without a body, with the status that [`status`] gives.
    pub fn http(client: Client, question: Q) -> Self
    where
        Q: Fn(&http::Request<B>) -> Option<CheckRequest>,
    {
        let denied: fn(Denied) -> http::Response<C> = |denied| {
            let mut answer = http::Response::new(C::default());
            *answer.status_mut() = status(&denied);
            answer
        };
        Self::new(client, question, denied).hand_over(|request, allowed| {
            request.extensions_mut().insert(allowed);
        })
    }
}

/// The HTTP status of a denial: 403 where the authority denied or nobody was named, 503 where there is no answer.
pub fn status(denied: &Denied) -> StatusCode {
    match &denied.cause {
        Cause::Decided(_) => StatusCode::FORBIDDEN,
        Cause::Unanswered(error) if error.reason() == reason::NOBODY_NAMED => StatusCode::FORBIDDEN,
        Cause::Unanswered(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl<S, Req, Q, A> Layer<S> for GuardLayer<Req, Q, A> {
    type Service = Guard<S, Req, Q, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard {
            inner,
            rules: self.rules.clone(),
        }
    }
}

impl<S, Req, Q, A> Service<Req> for Guard<S, Req, Q, A>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Future: Send,
    Req: Send + 'static,
    Q: Fn(&Req) -> Option<CheckRequest> + Send + Sync + 'static,
    A: Fn(Denied) -> S::Response + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        // The one that said it was ready is the one to call: its clone may not be.
        let unready = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, unready);
        let rules = self.rules.clone();
        let question = (rules.question)(&request);
        Box::pin(async move {
            match question {
                Some(question) => match rules.client.check(question).await {
                    Ok(allowed) => (rules.hand_over)(&mut request, allowed),
                    Err(denied) => return Ok((rules.denied)(denied)),
                },
                None if rules.others_pass => {}
                None => return Ok((rules.denied)(nobody())),
            }
            ready.call(request).await
        })
    }
}

/// A request that says nothing of whom it concerns.
fn nobody() -> Denied {
    let message = "the request names nobody of whom the authority could be asked";
    Error::local(Code::InvalidArgument, reason::NOBODY_NAMED, message).into()
}

impl<Req, Q, A> Clone for Rules<Req, Q, A> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            question: Arc::clone(&self.question),
            denied: Arc::clone(&self.denied),
            hand_over: self.hand_over,
            others_pass: self.others_pass,
        }
    }
}

impl<Req, Q, A> Clone for GuardLayer<Req, Q, A> {
    fn clone(&self) -> Self {
        Self {
            rules: self.rules.clone(),
        }
    }
}

impl<S: Clone, Req, Q, A> Clone for Guard<S, Req, Q, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            rules: self.rules.clone(),
        }
    }
}

impl<Req, Q, A> fmt::Debug for GuardLayer<Req, Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer").finish_non_exhaustive()
    }
}
