//! Refrain, a self-hosted opt-out authority.

pub mod clock;
pub mod domain;
pub mod net;
pub mod proto;
pub mod storage;
