//! The file that tells others that the node listens, and where.

use std::{fs, io, path::Path};

use super::Running;
use crate::domain::NodeId;

/// Writes the ready file: whoever sees it sees all of it.
pub(super) fn write(path: &Path, running: &Running) -> io::Result<()> {
    let text = serde_json::json!({
        "client": running.client_address.to_string(),
        "peer": running.peer_address.to_string(),
        "node_id": NodeId(running.node_id).to_string(),
        "pid": std::process::id(),
    });
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    fs::write(&aside, format!("{text}\n"))?;
    fs::rename(&aside, path)
}
