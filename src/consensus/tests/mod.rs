//! openraft's own conformance suite on the real store, and small clusters in one process.

mod cluster;
mod conformance;
mod network;
mod quorum;
