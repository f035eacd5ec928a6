//! Every call against the real server, in process on port 0, through the generated client.

// Helpers of tests may panic too; clippy only knows the tests themselves.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod anomalies;
mod audit;
mod cluster;
mod decision;
mod edge;
mod evidence;
mod health;
mod history;
mod http;
mod import;
mod journal;
mod link;
mod membership;
mod metrics;
mod monitor;
mod preference;
mod principals;
mod program;
mod registry;
mod rest;
mod stamp;
mod stamp_keys;
mod stamp_whose;
mod stop;
mod stream;
mod support;
mod tokens;
mod two_principals;
mod walk;
mod watch;
