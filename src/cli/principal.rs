//! `refrain principal`: makes a token, and what to put into the nodes' configuration for it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use refrain::{
    admission::{Entry, Principals, TokenHash},
    clock::{Entropy as _, SystemEntropy},
    domain::Principal,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{exit, failure::Failure, output::Output};

/// What `principal` can do.
#[derive(Debug, Subcommand)]
pub enum PrincipalCommand {
    /// Makes a fresh token and prints it, once, on standard output; and beside it, on standard error, the lines for the
    /// nodes' configuration, which hold its hash alone
    New {
        /// The principal's name: it goes into the events that it makes
        name: String,
    },
}

/// Runs `principal`. Nothing is sent anywhere.
pub fn run(command: &PrincipalCommand, output: &Output) -> Result<u8, Failure> {
    let PrincipalCommand::New { name } = command;
    let principal = Principal::parse(name).map_err(|why| Failure::usage(why.to_string()))?;
    let token = fresh();
    let hash = TokenHash::of(token.as_bytes());
    // What a node would refuse is refused here already.
    let entry = Entry {
        name: principal,
        tokens: vec![hash],
        grants: Vec::new(),
    };
    let would_do = Principals::default().add(entry);
    would_do.map_err(|why| Failure::usage(why.to_string()))?;

    let lines = configuration(name, hash);
    let json = json!({
        "name": name,
        "token": token.as_str(),
        "token_sha256": hash.to_hex(),
        "configuration": lines,
    });
    output.result(|| token.as_str().to_owned(), &json)?;
    output.note(format!(
        "
Keep the token above; it is not shown again. For the configuration of each node:

{lines}"
    ));
    Ok(exit::OK)
}

/// 256 random bits, as text.
fn fresh() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemEntropy.fill(&mut *bytes);
    Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))
}

/// The lines to paste; what to grant is for whoever pastes them.
fn configuration(name: &str, hash: TokenHash) -> String {
    // A name is visible ASCII: these two alone mean something within quotes.
    let name = name.replace('\\', "\\\\").replace('"', "\\\"");
    let hash = hash.to_hex();
    format!(
        "[[principal]]\nname = \"{name}\"\ntoken_sha256 = \"{hash}\"\n\n[[principal.grant]]\npermissions = [\"check\"]\n\
         # namespaces = [\"default\"]    # without this line: all\n\
         # purposes = [\"marketing\"]    # and what lies under them; without this line: all"
    )
}
