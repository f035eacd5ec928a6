//! Stamps: signed decisions that travel inside a message, how they are made and how they are read.
//!
//! A stamp is a compact JWS (RFC 7515) with the algorithm `EdDSA` over Ed25519 (RFC 8037). A node signs one with its
//! [`SigningKey`]; whoever holds the cluster's [`KeySet`] reads it with [`KeySet::verify`], or asks [`KeySet::judge`] what
//! may be done with it. That needs no call, and so it never says more than *allowed as of a revision*: whether that still
//! holds, only the cluster or a live watch of it can tell.
//!
//! Pure: no clock, no randomness, nothing of the server or the client. Times are whole seconds since the Unix epoch.

mod claims;
mod error;
mod jwk;
mod jws;
mod offline;
#[cfg(test)]
mod tests;

pub use self::{
    claims::{Claims, Stamped},
    error::{KeySetError, StampError},
    jwk::{KeySet, PublicKey},
    jws::SigningKey,
    offline::{AllowedAsOf, Denied, Offline, Wanted},
};
