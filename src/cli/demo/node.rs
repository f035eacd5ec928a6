//! One node of the demonstration: a `refrain serve` process that dies with it.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::cli::failure::Failure;

/// How long a node may take until it listens.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// How much of the end of a log is shown when a node fails.
const LOG_TAIL_BYTES: u64 = 2_048;

/// Where a node keeps its things, and where it listens.
pub struct Node {
    /// 1, 2, 3.
    pub number: usize,
    /// Where it listens for clients, as `host:port`.
    pub client: String,
    /// Where it listens for peers.
    pub peer: String,
    data: PathBuf,
    ready_file: PathBuf,
    log: PathBuf,
    token_key: PathBuf,
    process: Option<Child>,
}

/// What a node writes down once it listens.
#[derive(Deserialize)]
struct Ready {
    client: String,
    peer: String,
}

impl Node {
    /// Prepares a node within a folder. It listens wherever a port is free.
    pub fn new(number: usize, folder: &Path, token_key: &Path) -> Self {
        let named = |suffix: &str| folder.join(format!("node-{number}{suffix}"));
        Self {
            number,
            client: "127.0.0.1:0".to_owned(),
            peer: "127.0.0.1:0".to_owned(),
            data: named(""),
            ready_file: named(".ready"),
            log: named(".log"),
            token_key: token_key.to_owned(),
            process: None,
        }
    }

    /// Starts the process; after an earlier start, on the same data and the same ports.
    pub fn start(&mut self) -> io::Result<()> {
        match std::fs::remove_file(&self.ready_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--end-with-parent", "--join"])
            .args(["--listen", &self.client, "--peer-listen", &self.peer])
            .arg("--data")
            .arg(&self.data)
            .arg("--token-key-file")
            .arg(&self.token_key)
            .arg("--ready-file")
            .arg(&self.ready_file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the demonstration, which then ends its nodes.
            .process_group(0)
            .kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if is_ours(&name) {
                command.env_remove(name);
            }
        }
        self.process = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until the node listens, and takes down where.
    pub async fn listening(&mut self) -> Result<(), Failure> {
        let ends = Instant::now() + START_TIME_MAX;
        loop {
            // A file that is only half written is read again.
            let ready = std::fs::read(&self.ready_file).unwrap_or_default();
            if let Ok(ready) = serde_json::from_slice::<Ready>(&ready) {
                self.client = ready.client;
                self.peer = ready.peer;
                return Ok(());
            }
            if let Some(status) = self
                .process
                .as_mut()
                .and_then(|it| it.try_wait().transpose())
            {
                let status = status?;
                return Err(self.failed(&format!("ended by itself ({status})")));
            }
            if Instant::now() >= ends {
                return Err(self.failed("does not come up"));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the process as a power cut would: at once, without a word.
    pub async fn kill(&mut self) -> io::Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// `http://host:port`.
    pub fn uri(&self) -> String {
        format!("http://{}", self.client)
    }

    fn failed(&self, how: &str) -> Failure {
        let failure = Failure::other(format!("node {} {how}", self.number));
        match tail(&self.log) {
            Ok(text) if !text.is_empty() => failure.advise(format!("the end of its log:\n{text}")),
            _ => failure,
        }
    }
}

/// Whether a variable would change how a node behaves.
fn is_ours(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("REFRAIN_")
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
