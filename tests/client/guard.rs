//! The layer that guards a service: nothing but a fresh ALLOW reaches it, and its back-pressure reaches the caller.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::poll;
use http::{Request, Response, StatusCode};
use refrain::{
    client::{
        Allowed, Client, Denied,
        guard::{GuardLayer, status},
        reason,
    },
    proto::v1::CheckRequest,
};
use tokio::sync::oneshot;
use tonic::Code;
use tower::{Layer as _, Service, ServiceExt as _, limit::ConcurrencyLimit};

use super::{
    calls::{question, stop},
    fake::{Fake, Fault, refusal},
};

/// What a page answers, and how often it was called. Only who was ready may be called, and a clone is not.
struct Page {
    calls: Arc<AtomicU32>,
    ready: bool,
}

impl Page {
    fn new() -> (Self, Arc<AtomicU32>) {
        let calls = Arc::default();
        let page = Self {
            calls: Arc::clone(&calls),
            ready: false,
        };
        (page, calls)
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        Self {
            calls: Arc::clone(&self.calls),
            ready: false,
        }
    }
}

impl Service<Request<String>> for Page {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called before it was ready"
        );
        self.calls.fetch_add(1, Ordering::SeqCst);
        let allowed = request.extensions().get::<Allowed>();
        let as_of = allowed.map_or("nothing".to_owned(), |it| it.answer().decision_id.clone());
        ready(Ok(Response::new(as_of)))
    }
}

/// About whom a request is: the address in its body, if there is one.
fn about(request: &Request<String>) -> Option<CheckRequest> {
    (!request.body().is_empty()).then(|| question(request.body()))
}

fn ask(address: &str) -> Request<String> {
    Request::new(address.to_owned())
}

type Question = fn(&Request<String>) -> Option<CheckRequest>;
type Answer = fn(Denied) -> Response<String>;

fn layer(client: Client) -> GuardLayer<Request<String>, Question, Answer> {
    GuardLayer::http(client, about as Question)
}

#[tokio::test]
async fn an_allow_reaches_the_service_with_its_proof() {
    let node = Fake::start();
    let (page, calls) = Page::new();
    let mut guarded = layer(node.client()).layer(page);
    for times in 1..=3 {
        let service = guarded.ready().await.unwrap();
        let answer = service.call(ask("ada@example.com")).await.unwrap();
        assert_eq!(
            (answer.status(), answer.body().as_str()),
            (StatusCode::OK, "made-up")
        );
        assert_eq!(calls.load(Ordering::SeqCst), times);
    }
    assert_eq!(node.calls(), 3, "each request asks anew");
}

#[tokio::test]
async fn no_denial_and_no_error_reaches_the_service() {
    let node = Fake::start();
    let (page, calls) = Page::new();
    let client = Fake::client_of(&[&node])
        .deadline(Duration::from_millis(100))
        .build()
        .unwrap();
    let guard = layer(client).layer(page);

    node.client()
        .opt_out(stop("ada@example.com"))
        .await
        .unwrap();
    let denied = guard.clone().oneshot(ask("ada@example.com")).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);

    for code in [
        Code::InvalidArgument,
        Code::NotFound,
        Code::FailedPrecondition,
        Code::PermissionDenied,
        Code::Unauthenticated,
        Code::Internal,
        Code::Unimplemented,
    ] {
        node.fail([Fault::Refuse(refusal(code, "MADE_UP", "not_applied"))]);
        let denied = guard
            .clone()
            .oneshot(ask("grace@example.com"))
            .await
            .unwrap();
        assert_eq!(denied.status(), StatusCode::SERVICE_UNAVAILABLE, "{code:?}");
    }
    for decision in [0, 3, -1] {
        node.model().decision = Some(decision);
        let denied = guard
            .clone()
            .oneshot(ask("grace@example.com"))
            .await
            .unwrap();
        assert_eq!(
            denied.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{decision}"
        );
    }
    node.model().decision = None;

    node.fail([Fault::Hang]);
    let denied = guard
        .clone()
        .oneshot(ask("grace@example.com"))
        .await
        .unwrap();
    assert_eq!(denied.status(), StatusCode::SERVICE_UNAVAILABLE);

    node.kill();
    let denied = guard.oneshot(ask("grace@example.com")).await.unwrap();
    assert_eq!(denied.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_about_nobody_passes_only_where_that_is_wished() {
    let node = Fake::start();
    let (page, calls) = Page::new();
    let guard = layer(node.client());
    let denied = guard.layer(page.clone()).oneshot(ask("")).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    assert_eq!((calls.load(Ordering::SeqCst), node.calls()), (0, 0));

    let open = guard.clone().let_others_pass().layer(page.clone());
    let answer = open.clone().oneshot(ask("")).await.unwrap();
    assert_eq!(answer.body(), "nothing");
    // Who is named is asked about all the same.
    node.client()
        .opt_out(stop("ada@example.com"))
        .await
        .unwrap();
    let denied = open.oneshot(ask("ada@example.com")).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    let telling = guard.denied(|denied| {
        let reason = denied.error().map(|it| it.reason().to_owned());
        let mut answer = Response::new(reason.unwrap_or_default());
        *answer.status_mut() = status(&denied);
        answer
    });
    let told = telling.layer(page).oneshot(ask("")).await.unwrap();
    assert_eq!(told.body(), reason::NOBODY_NAMED);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_service_uncalled() {
    let node = Fake::start();
    let (page, calls) = Page::new();
    node.fail([Fault::Hang]);
    let mut asking = layer(node.client())
        .layer(page)
        .oneshot(ask("ada@example.com"));
    while node.calls() == 0 {
        assert!(poll!(Pin::new(&mut asking)).is_pending());
        tokio::task::yield_now().await;
    }
    drop(asking);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn back_pressure_reaches_the_caller_and_a_denial_gives_its_place_back() {
    let node = Fake::start();
    let (page, calls) = Page::new();
    let mut guarded = layer(node.client()).layer(ConcurrencyLimit::new(page, 1));
    node.client()
        .opt_out(stop("ada@example.com"))
        .await
        .unwrap();

    let first = guarded.ready().await.unwrap().call(ask("ada@example.com"));
    // The one place is taken while the authority is asked.
    let mut second = Box::pin(guarded.ready());
    assert!(poll!(&mut second).is_pending());
    let (done, waiting) = oneshot::channel();
    let other = tokio::spawn(async move {
        let denied = first.await.unwrap();
        done.send(()).unwrap();
        denied
    });
    let service = second.await.unwrap();
    waiting.await.unwrap();
    assert_eq!(other.await.unwrap().status(), StatusCode::FORBIDDEN);
    let answer = service.call(ask("grace@example.com")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_of_any_kind_can_be_guarded() {
    let node = Fake::start();
    let guard = GuardLayer::new(
        node.client(),
        |who: &String| Some(question(who)),
        |denied: Denied| Err(denied.answer().is_some()),
    )
    .hand_over(|who, allowed| who.push_str(&allowed.answer().decision_id));
    let echo = tower::service_fn(async |who: String| Ok::<_, Infallible>(Ok(who)));
    let mut echo = guard.layer(echo);
    let service = echo.ready().await.unwrap();
    assert_eq!(
        service.call("ada ".to_owned()).await,
        Ok(Ok("ada made-up".to_owned()))
    );
    node.model().decision = Some(1);
    let service = echo.ready().await.unwrap();
    assert_eq!(service.call("ada".to_owned()).await, Ok(Err(true)));
}
