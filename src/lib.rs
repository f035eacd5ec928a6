//! Refrain, a self-hosted opt-out authority.

pub mod clock;
pub mod consensus;
pub mod domain;
pub mod limits;
pub mod net;
pub mod proto;
pub mod storage;
