//! Identifiers of a subject, in the three forms that Refrain takes.

use crate::proto::v1::{Identifier, identifier::Form};

/// An e-mail address as the person wrote it; the server normalises it.
pub fn email(address: impl Into<String>) -> Identifier {
    value("email", address)
}

/// A telephone number in E.164, such as `+49 30 1234567`.
pub fn phone(number: impl Into<String>) -> Identifier {
    value("phone", number)
}

/// A raw value of any type, such as `device` or `account`.
pub fn value(kind: impl Into<String>, value: impl Into<String>) -> Identifier {
    with(kind, Form::Value(value.into()))
}

/// The SHA-256 of the normalised value, where the raw one must not travel.
pub fn sha256(kind: impl Into<String>, hash: [u8; 32]) -> Identifier {
    with(kind, Form::Sha256(hash.to_vec()))
}

/// A token that Refrain returned before, `<generation>:<32 hex digits>`.
pub fn token(kind: impl Into<String>, token: impl Into<String>) -> Identifier {
    with(kind, Form::Token(token.into()))
}

fn with(kind: impl Into<String>, form: Form) -> Identifier {
    Identifier {
        r#type: kind.into(),
        form: Some(form),
    }
}
