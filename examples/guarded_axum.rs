//! An axum service whose pages are made for a person only while that person allows it.
//!
//! ```sh
//! refrain serve &
//! cargo run --example guarded_axum -- http://127.0.0.1:7400 127.0.0.1:8080
//! curl -i -H 'x-account: 4711' http://127.0.0.1:8080/recommendations     # 200
//! refrain opt-out --id account:4711 --purpose personalization
//! curl -i -H 'x-account: 4711' http://127.0.0.1:8080/recommendations     # 403
//! curl -i http://127.0.0.1:8080/recommendations                          # 403: it names nobody
//! ```

use axum::{Extension, Router, extract::Request, response::Response, routing::get};
use refrain::{
    client::{Allowed, Client, guard::GuardLayer, identifier},
    proto::v1::CheckRequest,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next();
    let listen = arguments.next();
    let client = Client::builder()
        .endpoint(endpoint.unwrap_or_else(|| "http://127.0.0.1:7400".to_owned()))
        .service("recommendations")
        .build()?;
    let guard = GuardLayer::<_, _, fn(_) -> Response>::http(client, about);

    // What lies above the layer is guarded, what is added after it is not.
    let pages = Router::new()
        .route("/recommendations", get(recommendations))
        .layer(guard)
        .route("/", get(async || "Everybody may see this."));
    let listen = listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, pages).await?;
    Ok(())
}

/// Whom a request is about, and what for. A real service takes the account from its session.
fn about(request: &Request) -> Option<CheckRequest> {
    let account = request.headers().get("x-account")?.to_str().ok()?;
    Some(CheckRequest {
        identifiers: vec![identifier::value("account", account)],
        purpose: "personalization".to_owned(),
        ..Default::default()
    })
}

/// Never called but for a fresh ALLOW, which comes with the request.
async fn recommendations(Extension(allowed): Extension<Allowed>) -> String {
    format!(
        "Picked for you, as of revision {}.\n",
        allowed.answer().revision
    )
}
