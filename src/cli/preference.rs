//! `refrain opt-out` and `refrain opt-in`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use refrain::proto::v1::{Evidence, Receipt, SetOptInRequest, SetOptOutRequest, Signal};
use serde_json::json;

use super::{
    caller::CallerArgs,
    client::ClientArgs,
    exit,
    failure::Failure,
    journal,
    output::Output,
    paint::{Tone, grouped, moment},
    request::{RequestArgs, failed},
    subject::SubjectArgs,
};

/// The most bytes of a statement, as the contract has it.
const STATEMENT_BYTES_MAX: u64 = 4_096;

/// What both changes need.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    /// What the data is used for, such as marketing.email; any number
    #[arg(long, value_name = "PURPOSE")]
    purpose: Vec<String>,

    /// All purposes that are not essential, the same as --purpose '*'
    #[arg(long)]
    all: bool,

    /// How the wish arrived
    #[arg(long, value_enum, default_value = "user", value_name = "SIGNAL")]
    signal: SignalName,

    #[command(flatten)]
    request: RequestArgs,

    /// A revision that the cluster must have reached before the change
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    min_revision: u64,

    #[command(flatten)]
    caller: CallerArgs,

    /// Where to write the receipt: proof that the change was recorded, for `refrain verify`
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

/// How a wish arrived, as a flag's value.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SignalName {
    /// The person, through a product's own screen or support
    User,
    /// Global Privacy Control
    Gpc,
    /// One-click unsubscribe
    ListUnsubscribe,
    /// Somebody who runs the cluster
    Operator,
    /// A synthetic change that tests the cluster
    Probe,
}

/// The flags of `opt-in`.
#[derive(Debug, Args)]
pub struct OptInArgs {
    #[command(flatten)]
    change: ChangeArgs,

    /// What the person saw and did, in words
    #[arg(long, value_name = "TEXT", conflicts_with = "evidence_file")]
    evidence: Option<String>,

    /// A file with what the person saw and did; UTF-8, at most 4,096 bytes
    #[arg(long, value_name = "FILE")]
    evidence_file: Option<PathBuf>,

    /// The person's IP address
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    ip_address: String,

    /// The person's user agent
    #[arg(long, value_name = "TEXT", default_value = "")]
    user_agent: String,
}

impl ChangeArgs {
    fn purposes(&self) -> Result<Vec<String>, Failure> {
        let root = self.all.then(|| "*".to_owned());
        let all: Vec<String> = self.purpose.iter().cloned().chain(root).collect();
        if all.is_empty() {
            let message = "no purpose is named: give --purpose PURPOSE (any number), or --all";
            return Err(Failure::usage(message));
        }
        Ok(all)
    }

    /// Writes the receipt where one was wanted. The change is made whatever comes of it.
    fn keep(&self, receipt: Option<&Receipt>, missing: &str, revision: u64) -> Result<u8, Failure> {
        let Some(path) = &self.receipt else {
            return Ok(exit::OK);
        };
        let later = format!("get it with `refrain receipt {revision} --out FILE`");
        let Some(receipt) = receipt else {
            let why = format!("the change was made, and its receipt is still to come ({missing})");
            return Err(Failure::other(why).advise(later));
        };
        journal::write(receipt, path)
            .map_err(|failure| failure.advise(format!("the change was made; {later}")))?;
        Ok(exit::OK)
    }

    fn signal(&self) -> i32 {
        let signal = match self.signal {
            SignalName::User => Signal::User,
            SignalName::Gpc => Signal::Gpc,
            SignalName::ListUnsubscribe => Signal::ListUnsubscribe,
            SignalName::Operator => Signal::Operator,
            SignalName::Probe => Signal::Probe,
        };
        signal.into()
    }
}

/// Opts somebody out.
pub async fn opt_out(
    args: &ChangeArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    let request_id = args.request.id(&client);
    let request = SetOptOutRequest {
        request_id: request_id.clone(),
        identifiers: args.subject.identifiers()?,
        purposes: args.purposes()?,
        signal: args.signal(),
        schema_version: args.caller.schema_version,
        service: args.caller.service.clone(),
        min_revision: args.min_revision,
        receipt: args.receipt.is_some(),
        ..Default::default()
    };
    let done = client.opt_out(request).await;
    let done = done.map_err(failed(&request_id))?;
    let receipt = done.receipt;
    let told = Done {
        what: "opted out of",
        purposes: args.purposes()?,
        event_id: done.event_id,
        revision: done.revision,
        changed: done.changed,
        received_at: moment(done.received_at.as_ref()),
        request_id: done.request_id,
    };
    told.show(output)?;
    args.keep(receipt.as_ref(), &done.receipt_missing, told.revision)
}

/// Opts somebody in.
pub async fn opt_in(args: &OptInArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let client = client.client()?;
    let change = &args.change;
    let request_id = change.request.id(&client);
    let request = SetOptInRequest {
        request_id: request_id.clone(),
        identifiers: change.subject.identifiers()?,
        purposes: change.purposes()?,
        signal: change.signal(),
        schema_version: change.caller.schema_version,
        service: change.caller.service.clone(),
        min_revision: change.min_revision,
        evidence: Some(Evidence {
            statement: args.statement()?,
            ip_address: args.ip_address.clone(),
            user_agent: args.user_agent.clone(),
        }),
        receipt: change.receipt.is_some(),
        ..Default::default()
    };
    let done = client.opt_in(request).await;
    let done = done.map_err(failed(&request_id))?;
    let receipt = done.receipt;
    let told = Done {
        what: "opted in to",
        purposes: change.purposes()?,
        event_id: done.event_id,
        revision: done.revision,
        changed: done.changed,
        received_at: moment(done.received_at.as_ref()),
        request_id: done.request_id,
    };
    told.show(output)?;
    change.keep(receipt.as_ref(), &done.receipt_missing, told.revision)
}

impl OptInArgs {
    fn statement(&self) -> Result<String, Failure> {
        let Some(path) = &self.evidence_file else {
            return self.evidence.clone().ok_or_else(|| {
                Failure::usage(
                    "an opt-in needs evidence of what the person saw and did: give --evidence TEXT, or --evidence-file \
                     FILE",
                )
            });
        };
        let named = path.display();
        let unreadable = |error| Failure::data(format!("cannot read {named}: {error}"));
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > STATEMENT_BYTES_MAX {
            return Err(Failure::data(format!(
                "{named} has {size} bytes; evidence has at most {STATEMENT_BYTES_MAX}"
            )));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::data(format!("{named} is not UTF-8; evidence is plain text")))?;
        Ok(text.trim_end().to_owned())
    }
}

/// A change that was made.
struct Done {
    what: &'static str,
    purposes: Vec<String>,
    event_id: String,
    revision: u64,
    changed: bool,
    received_at: String,
    request_id: String,
}

impl Done {
    fn show(&self, output: &Output) -> Result<(), Failure> {
        let paint = output.paint;
        let text = || {
            let how = if self.changed {
                paint.text(Tone::Good, self.what)
            } else {
                format!("nothing changed, already {}", self.what)
            };
            [
                format!("{how} {}", self.purposes.join(", ")),
                paint.fact("event", &self.event_id),
                paint.fact("revision", grouped(self.revision)),
                paint.fact("received", &self.received_at),
            ]
            .join("\n")
        };
        let json = json!({
            "event_id": self.event_id,
            "revision": self.revision,
            "changed": self.changed,
            "received_at": self.received_at,
            "request_id": self.request_id,
        });
        output.result(text, &json)
    }
}
