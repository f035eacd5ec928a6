//! The Rust client and the program's client commands, against a server that is made up and misbehaves on request.
#![allow(clippy::unwrap_used)]

mod calls;
mod fake;
mod imports;
mod program;
mod program_failures;
mod program_imports;
mod retries;
mod suppression_list;
mod watching;
