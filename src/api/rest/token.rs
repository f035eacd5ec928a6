//! Tokens of identifiers, and links that are made of them: what may stand in a URL.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{InNamespace, Path},
    body::Json,
    problem::BodyProblems,
    subject::{Identifier, Token, identifiers},
};
use crate::proto::v1;

/// Which identifiers?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Identifiers {
    /// The identifiers; no two alike.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
}

/// Their tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    /// As many as there were identifiers, in the same order.
    tokens: Vec<Token>,
}

/// What Refrain stores of identifiers. Identifiers stand in no URL; their tokens may.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/tokens",
    tag = "preferences",
    params(InNamespace),
    request_body = Identifiers,
    responses((status = 200, description = "The tokens.", body = Tokens), BodyProblems)
)]
pub(super) async fn tokens(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(given): Json<Identifiers>,
) -> Result<Json<Tokens>, Failure> {
    let request = v1::GetTokensRequest {
        namespace,
        identifiers: identifiers(given.identifiers)?,
    };
    let told = api.get_tokens(call, request).await?;
    Ok(Json(Tokens {
        tokens: told.tokens.into_iter().map(Token::from).collect(),
    }))
}

/// For whom, and for what?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkWish {
    /// By what the person is known; no two alike.
    #[schema(min_items = 1, max_items = 4)]
    identifiers: Vec<Identifier>,
    /// What a POST to the link opts out of; no two alike.
    #[schema(min_items = 1, max_items = 8)]
    purposes: Vec<String>,
}

/// A link.
#[derive(Serialize, ToSchema)]
pub(super) struct Link {
    /// The path below the node's address: put your public host before it. Holds tokens and no identifier.
    path: String,
}

/// Makes a signed link for one-click unsubscribe (RFC 8058). It never expires.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/links",
    tag = "preferences",
    params(InNamespace),
    request_body = LinkWish,
    responses((status = 200, description = "The link.", body = Link), BodyProblems)
)]
pub(super) async fn link(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(wish): Json<LinkWish>,
) -> Result<Json<Link>, Failure> {
    let request = v1::CreateLinkRequest {
        namespace,
        identifiers: identifiers(wish.identifiers)?,
        purposes: wish.purposes,
    };
    let made = api.create_link(call, request).await?;
    Ok(Json(Link { path: made.path }))
}
