//! Refrain, a self-hosted opt-out authority.

pub mod client;
pub mod clock;
pub mod domain;
pub mod net;
pub mod proto;
