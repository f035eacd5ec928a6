//! Persons in JSON: by identifiers in a body, by a token in a path.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    domain::Refusal,
    proto::v1::{self, identifier::Form},
};

/// The type that the identifier behind a token of a path has where nobody says.
const TOKEN: &str = "token";

/// One identifier of a subject, in exactly one of its three forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identifier {
    r#type: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

/// How an identifier is described: one object for each form.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(
    dead_code,
    reason = "describes what `Identifier` reads, whose complaints say more"
)]
enum Described {
    Value(ByValue),
    Sha256(BySha256),
    Token(ByToken),
}

/// An identifier as it is. It is turned into a token at once, and neither stored nor logged.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "a description")]
struct ByValue {
    /// The kind of identifier: `email`, `phone`, `device`, `account`, or another lower-case word.
    #[schema(max_length = 32, pattern = "^[a-z][a-z0-9_]*$", example = "email")]
    r#type: String,
    /// The identifier, at most 512 bytes.
    #[schema(max_length = 512, example = "ada@example.com")]
    value: String,
}

/// An identifier by its hash, so that a list can be checked without the raw ones.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "a description")]
struct BySha256 {
    /// The kind of identifier.
    #[schema(max_length = 32, pattern = "^[a-z][a-z0-9_]*$", example = "email")]
    r#type: String,
    /// SHA-256 of the normalised identifier, in hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    sha256: String,
}

/// An identifier by what Refrain stores of it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "a description")]
struct ByToken {
    /// The kind of identifier.
    #[schema(max_length = 32, pattern = "^[a-z][a-z0-9_]*$", example = "email")]
    r#type: String,
    /// The token, as it was told before.
    #[schema(pattern = "^[0-9]{1,5}:[0-9a-fA-F]{32}$")]
    token: String,
}

impl PartialSchema for Identifier {
    fn schema() -> RefOr<Schema> {
        Described::schema()
    }
}

impl ToSchema for Identifier {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Described::schemas(schemas);
    }
}

impl Identifier {
    fn into_proto(self) -> Result<v1::Identifier, Refusal> {
        let form = match (self.value, self.sha256, self.token) {
            (Some(value), None, None) => Form::Value(value),
            (None, Some(digits), None) => {
                let hash = hex::decode(digits).map_err(|_| Refusal::IdentifierInvalid {
                    why: "a SHA-256 is written in 64 hexadecimal digits",
                })?;
                Form::Sha256(hash)
            }
            (None, None, Some(token)) => Form::Token(token),
            _ => {
                return Err(Refusal::IdentifierInvalid {
                    why: "it must have exactly one of `value`, `sha256` and `token`",
                });
            }
        };
        Ok(v1::Identifier {
            r#type: self.r#type,
            form: Some(form),
        })
    }
}

/// The identifiers of a body.
pub(super) fn identifiers(given: Vec<Identifier>) -> Result<Vec<v1::Identifier>, Refusal> {
    given.into_iter().map(Identifier::into_proto).collect()
}

/// The one identifier of a path.
pub(super) fn by_token(token: String, r#type: Option<String>) -> Vec<v1::Identifier> {
    vec![v1::Identifier {
        r#type: r#type.unwrap_or_else(|| TOKEN.to_owned()),
        form: Some(Form::Token(token)),
    }]
}

/// What Refrain stores of an identifier.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// The identifier's type.
    r#type: String,
    /// Its token, `<generation>:<32 hex digits>`: may stand in a URL.
    token: String,
}

impl From<v1::Identifier> for Token {
    fn from(told: v1::Identifier) -> Self {
        let token = match told.form {
            Some(Form::Token(token)) => token,
            Some(Form::Value(_) | Form::Sha256(_)) | None => String::new(),
        };
        Self {
            r#type: told.r#type,
            token,
        }
    }
}

/// A text of the contract, where an empty one says that there is none.
pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
