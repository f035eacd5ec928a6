//! The program's commands: what they are called, which flags they take, and how they end.

mod anomalies;
mod audit;
mod caller;
mod changes;
mod check;
mod client;
mod cluster;
mod demo;
mod doctor;
mod evidence;
mod exit;
mod failure;
mod health;
mod history;
mod http;
mod import;
mod journal;
mod link;
mod monitor;
mod output;
mod override_list;
mod overrides;
mod paint;
mod preference;
mod principal;
mod probe;
mod registry;
mod request;
mod schema;
mod serve;
mod stamp;
mod subject;
mod token;
mod verify;
mod watch;

use std::{ffi::OsString, future::Future, io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};
use refrain::server;
use serde_json::json;

use self::{
    client::ClientArgs,
    failure::Failure,
    output::{Format, Output},
};

/// Refrain, a self-hosted opt-out authority: services ask it, before they process anything about a person, whether
/// they may.
#[derive(Debug, Parser)]
#[command(name = "refrain", version, after_help = exit::HELP, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    client: ClientArgs,

    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node
    Serve(Box<serve::ServeCommand>),
    /// Makes principals: who may call a node
    #[command(subcommand)]
    Principal(principal::PrincipalCommand),
    Verify(verify::VerifyArgs),
    #[command(flatten)]
    Talk(Box<Talk>),
}

/// The commands that talk to a node.
#[derive(Debug, Subcommand)]
enum Talk {
    /// Asks whether data about a person may be used for a purpose: exit status 0 for ALLOW, 3 for DENY
    #[command(after_help = exit::HELP)]
    Check(check::CheckArgs),
    /// Opts a person out of purposes
    OptOut(preference::ChangeArgs),
    /// Opts a person in to purposes; needs evidence
    OptIn(preference::OptInArgs),
    /// Shows what stands for a person, and how each purpose is decided
    Preferences(history::PreferencesArgs),
    /// Shows a person's events, the newest first
    History(history::HistoryArgs),
    Import(import::ImportArgs),
    /// Verifies stamps: decisions that travel signed inside a message
    #[command(subcommand)]
    Stamp(stamp::StampCommand),
    /// Erases what proves a person's opt-ins
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Makes a signed link for one-click unsubscribe, and the headers for a mail
    Link(link::LinkArgs),
    /// Gets the receipt of an event: proof that it was recorded, for `refrain verify`
    Receipt(journal::ReceiptArgs),
    /// Shows the journal's checkpoint, and the keys that it is verified by
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    Probe(probe::ProbeArgs),
    Doctor(doctor::DoctorArgs),
    /// Has what a service processed judged by what stood then
    Report(monitor::ReportArgs),
    /// Lists which services processed against the rules, and how
    Violations(monitor::ViolationsArgs),
    /// Takes the events along, for an auditor
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Lists what is out of the ordinary, and sets what counts as that
    Anomalies(anomalies::AnomaliesArgs),
    /// Shows how services stand: 100 where all that they reported was right
    Score(monitor::ScoreArgs),
    /// Follows the events
    Watch(watch::WatchArgs),
    /// Lists, adds and changes purposes
    #[command(subcommand)]
    Purpose(registry::PurposeCommand),
    /// Lists, adds and configures namespaces
    #[command(subcommand)]
    Namespace(registry::NamespaceCommand),
    /// Refuses callers that are too old
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Shows who asks: which services, with which schema version, how often, when last
    Services,
    /// Lists, approves and withdraws changes that need a second principal
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// Lifts opt-outs for a while: proposed by one principal, approved by another
    #[command(subcommand)]
    Override(overrides::OverrideCommand),
    /// Forms a cluster, changes its members, looks at it
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Asks a node whether it serves: exit status 0 or 1
    Health(health::HealthArgs),
    Demo(demo::DemoArgs),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    let output = Output::new(cli.client.output);
    match execute(&cli, &output) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            let text = match output.format {
                Format::Table => failure.text(),
                Format::Json => failure.json().to_string(),
            };
            match cli.command {
                // Who runs a node may not read what it says, and has to see it end all the same.
                Command::Serve(_) => server::say_last(&text),
                Command::Principal(_) | Command::Verify(_) | Command::Talk(_) => {
                    let _ = writeln!(std::io::stderr(), "{text}");
                }
            }
            ExitCode::from(failure.status)
        }
    }
}

fn execute(cli: &Cli, output: &Output) -> Result<u8, Failure> {
    match &cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Principal(command) => principal::run(command, output),
        Command::Verify(args) => block_on(verify::run(args, &cli.client, output)),
        Command::Talk(command) => block_on(talk(command, &cli.client, output)),
    }
}

async fn talk(command: &Talk, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    match command {
        Talk::Check(args) => check::run(args, client, output).await,
        Talk::OptOut(args) => preference::opt_out(args, client, output).await,
        Talk::OptIn(args) => preference::opt_in(args, client, output).await,
        Talk::Preferences(args) => history::preferences(args, client, output).await,
        Talk::History(args) => history::history(args, client, output).await,
        Talk::Import(args) => import::run(args, client, output).await,
        Talk::Stamp(command) => stamp::run(command, client, output).await,
        Talk::Evidence(command) => evidence::run(command, client, output).await,
        Talk::Link(args) => link::run(args, client, output).await,
        Talk::Receipt(args) => journal::fetch(args, client, output).await,
        Talk::Journal(command) => journal::run(command, client, output).await,
        Talk::Probe(args) => probe::run(args, client, output).await,
        Talk::Doctor(args) => doctor::run(args, client, output).await,
        Talk::Report(args) => monitor::report(args, client, output).await,
        Talk::Violations(args) => monitor::violations(args, client, output).await,
        Talk::Audit(command) => audit::run(command, client, output).await,
        Talk::Anomalies(args) => anomalies::run(args, client, output).await,
        Talk::Score(args) => monitor::score(args, client, output).await,
        Talk::Watch(args) => watch::run(args, client, output).await,
        Talk::Purpose(command) => registry::purpose(command, client, output).await,
        Talk::Namespace(command) => registry::namespace(command, client, output).await,
        Talk::Schema(command) => schema::run(command, client, output).await,
        Talk::Services => schema::services(client, output).await,
        Talk::Changes(command) => changes::run(command, client, output).await,
        Talk::Override(command) => overrides::run(command, client, output).await,
        Talk::Cluster(command) => cluster::run(command, client, output).await,
        Talk::Health(args) => health::run(args, client, output).await,
        Talk::Demo(args) => demo::run(args, output).await,
    }
}

/// Runs a command that only talks; one thread is enough for that.
fn block_on(command: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(command);
    // A thread that waits for standard input would otherwise be waited for in turn.
    runtime.shutdown_background();
    result
}

/// Ends after arguments that could not be understood, or after help that was asked for.
fn misread(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::from(exit::OK);
    }
    if wants_json() {
        let message = error.to_string();
        let error = json!({ "error": { "status": exit::USAGE, "message": message.trim_end() } });
        let _ = writeln!(std::io::stderr(), "{error}");
    } else {
        let _ = error.print();
    }
    ExitCode::from(exit::USAGE)
}

/// Whether the arguments ask for JSON, as far as that can be seen where they could not be understood.
fn wants_json() -> bool {
    let mut before = OsString::new();
    for argument in std::env::args_os() {
        if argument == "--output=json" || (before == "--output" && argument == "json") {
            return true;
        }
        before = argument;
    }
    std::env::var_os("REFRAIN_OUTPUT").is_some_and(|form| form == "json")
}
