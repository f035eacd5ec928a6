//! The Rust client: several endpoints, deadlines, retries under one request id, and answers that fail closed.
//!
//! ```
//! use refrain::client::{Client, identifier};
//! use refrain::proto::v1::{CheckRequest, SetOptOutRequest};
//!
//! # use std::sync::Arc;
//! # use refrain::{
//! #     clock::{SystemClock, SystemEntropy},
//! #     config::Config,
//! #     net::{Connector, Listener},
//! #     server::{self, Injected, disk::Disk},
//! #     storage::{log::MemoryLog, memory::MemoryFiles},
//! # };
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let node = server::start(
//! #     Config::in_folder(folder.path()),
//! #     Injected {
//! #         client_listener: Listener::tcp("127.0.0.1:0".parse()?).await?,
//! #         peer_listener: Listener::tcp("127.0.0.1:0".parse()?).await?,
//! #         connector: Connector::tcp(),
//! #         clock: Arc::new(SystemClock),
//! #         entropy: Arc::new(SystemEntropy),
//! #         disk: Disk::in_memory(MemoryLog::new(), MemoryFiles::new(), &SystemEntropy)?,
//! #     },
//! # )
//! # .await?;
//! # let endpoint = format!("http://{}", node.client_address);
//! // Any number of nodes, such as http://127.0.0.1:7400.
//! let client = Client::builder()
//!     .endpoint(&endpoint)
//!     .service("newsletter")
//!     .build()?;
//!
//! client
//!     .opt_out(SetOptOutRequest {
//!         identifiers: vec![identifier::email("ada@example.com")],
//!         purposes: vec!["marketing.email".to_owned()],
//!         ..Default::default()
//!     })
//!     .await?;
//!
//! let question = CheckRequest {
//!     identifiers: vec![identifier::email("ada@example.com")],
//!     purpose: "marketing.email".to_owned(),
//!     ..Default::default()
//! };
//! match client.check(question).await {
//!     Ok(allowed) => panic!("ALLOW, as of revision {}", allowed.answer().revision),
//!     Err(denied) => assert!(denied.answer().is_some(), "no answer: {denied}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Every call has a deadline. Within it, an attempt that found no connection, a broken one or a node that cannot
//! answer now is made again at the next endpoint, each round after a longer wait, always with the same `request_id`:
//! one call has one effect. What may have been done and what certainly was not is told by [`Error::outcome`].
//!
//! With the feature `opentelemetry` each call carries the trace that it belongs to: what the propagator that your program has installed
//! (`opentelemetry::global::set_text_map_propagator`, W3C's as a rule) makes of the context that is current where the call is made. A node
//! that traces then goes on with that trace. Without a propagator, or outside of a trace, calls are as they are without the feature.

mod audit;
mod bearer;
mod builder;
mod call;
mod changes;
mod check;
mod cluster;
#[cfg(feature = "opentelemetry")]
mod context;
mod endpoints;
mod error;
pub mod guard;
pub mod identifier;
mod import;
mod journal;
mod monitor;
mod overrides;
mod preferences;
mod registry;
mod schema;
mod signals;
pub mod stamps;
mod watch;

use std::sync::Arc;

pub use builder::ClientBuilder;
pub use check::{Allowed, Cause, Denied};
pub use error::{Error, Outcome, reason};
pub use import::{Import, ImportRefused, ImportStep, TaggedRow};
pub use watch::Seen;

use self::{builder::Settings, endpoints::Endpoints};

/// The most bytes of one answer: a page of 1,000 events of the largest size fits.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A client of one cluster. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    endpoints: Endpoints,
    settings: Settings,
}

impl Client {
    /// Begins a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Makes a fresh `UUIDv7`, fit for a `request_id` or an `import_id`. The calls make one by themselves where it is
    /// empty; make your own to retry a call over a restart of your program.
    pub fn new_request_id(&self) -> String {
        let settings = &self.0.settings;
        let mut random = [0; 10];
        settings.entropy.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(settings.clock.now().0, &random)
            .into_uuid()
            .to_string()
    }

    /// The endpoints, in the order in which they were named.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.0.endpoints.addresses()
    }

    /// Fills in the request's id where the caller gave none.
    fn name(&self, request_id: &mut String) {
        if request_id.is_empty() {
            *request_id = self.new_request_id();
        }
    }

    /// Fills in the tenant.
    fn tenant(&self, namespace: &mut String) {
        if namespace.is_empty() {
            namespace.clone_from(&self.0.settings.namespace);
        }
    }

    /// Fills in the service that asks, and the schema version that it was built for.
    fn caller(&self, service: &mut String, schema_version: &mut u32) {
        let settings = &self.0.settings;
        if service.is_empty() {
            service.clone_from(&settings.service);
        }
        if *schema_version == 0 {
            *schema_version = settings.schema_version;
        }
    }
}
