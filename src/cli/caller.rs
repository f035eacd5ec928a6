//! The flags with which a command says for whom it asks, as every caller does.

use clap::Args;

/// Who asks, and what it was built for.
#[derive(Debug, Args)]
pub struct CallerArgs {
    /// The service that asks
    #[arg(long, value_name = "NAME", default_value = "")]
    pub service: String,

    /// The registry's schema version that the caller was built for
    #[arg(long, value_name = "VERSION", default_value_t = 0)]
    pub schema_version: u32,
}
