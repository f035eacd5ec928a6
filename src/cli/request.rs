//! The flag that names a change, so that running it again does not do it twice.

use clap::Args;
use refrain::client::{Client, Error};

use super::failure::Failure;

/// Which change it is.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// A UUID of version 7 that names this change, to run it again without doing it twice [default: a new one]
    #[arg(long, value_name = "UUID")]
    request_id: Option<String>,
}

impl RequestArgs {
    /// The id that was given, or a new one.
    pub fn id(&self, client: &Client) -> String {
        let given = self.request_id.clone();
        given.unwrap_or_else(|| client.new_request_id())
    }
}

/// The failure of a change with this id.
pub fn failed(request_id: &str) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::from(error).retry_with("--request-id", request_id)
}
