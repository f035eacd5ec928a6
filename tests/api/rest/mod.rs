//! REST: every route against the real server, over plain HTTP/1.1.

mod administration;
mod changes;
mod decision;
mod documents;
mod links;
mod malformed;
mod overrides;
mod preference;
mod routes;
mod stamp;
mod walk;
pub mod wire;
