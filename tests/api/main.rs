//! Every call against the real server, in process on port 0, through the generated client.

mod cluster;
mod decision;
mod edge;
mod health;
mod history;
mod import;
mod preference;
mod registry;
mod stop;
mod stream;
mod support;
mod watch;
