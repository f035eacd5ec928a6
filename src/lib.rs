//! Refrain, a self-hosted opt-out authority.
//!
#![doc = include_str!("ARCHITECTURE.md")]

pub mod admission;
pub mod api;
pub mod authority;
pub mod client;
pub mod clock;
pub mod config;
pub mod consensus;
pub mod domain;
pub mod feed;
pub mod limits;
pub mod net;
pub mod proto;
pub mod server;
pub mod stamp;
pub mod storage;
