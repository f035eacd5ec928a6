//! The Rust client and the program's client commands, against a server that is made up and misbehaves on request.
#![allow(clippy::unwrap_used)]

mod administering;
mod calls;
mod fake;
mod guard;
mod imports;
mod program;
mod program_administering;
mod program_failures;
mod program_imports;
mod program_probe;
mod program_stamps;
mod retries;
mod stamps;
mod suppression_list;
mod watching;
