//! Refrain, a self-hosted opt-out authority.
//!
#![doc = include_str!("ARCHITECTURE.md")]

#[cfg(feature = "server")]
pub mod admission;
#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod authority;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod consensus;
#[cfg(feature = "server")]
pub mod domain;
#[cfg(feature = "server")]
pub mod feed;
#[cfg(all(any(test, fuzzing), feature = "server"))]
pub mod fuzzing;
pub mod limits;
#[cfg(feature = "server")]
pub mod metrics;
pub mod net;
pub mod proof;
pub mod proto;
pub mod purpose_tree;
#[cfg(feature = "server")]
pub mod receipt;
#[cfg(feature = "server")]
pub mod server;
pub mod stamp;
#[cfg(feature = "server")]
pub mod storage;
#[cfg(feature = "server")]
pub mod traces;
