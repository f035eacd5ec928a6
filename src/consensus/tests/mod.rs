//! openraft's own conformance suite on the real store, and small clusters in one process.

mod clocks;
mod cluster;
mod conformance;
mod erasure;
mod leadership;
mod network;
mod proposals;
mod quorum;
mod recorded;
mod room;
mod slow;
mod snapshots;
