//! Every way in, against a cluster of three: what is written through one node holds on each of the others.

mod grpc;
pub mod http;
mod overrides;
mod rest;
mod stamps;
pub mod trio;
