//! What a node prints goes into a pipe that is full and that nobody reads: where it has to end, it ends all the same.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use refrain::proto::v1::preference_service_client::PreferenceServiceClient;
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};
use tokio::time::{sleep, timeout};

use crate::disk::Shim;
use crate::skip::skip;
use crate::support::{Node, REFRAIN, channel, opt_out, serve_args, token_key};

/// A bound on a hang.
const LONG: Duration = Duration::from_secs(20);

/// A pipe in the place of a log, which nobody reads.
pub struct Pipe(File);

impl Pipe {
    /// An empty one.
    pub fn make(at: &Path) -> Self {
        mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Open for both, so that neither end waits for the other.
        Self(File::options().read(true).write(true).open(at).unwrap())
    }

    /// Whether nothing more goes into it, of what a node has to say all the time.
    pub async fn full(&self) -> bool {
        let before = rustix::io::ioctl_fionread(&self.0).unwrap();
        sleep(Duration::from_secs(1)).await;
        before > 0 && before == rustix::io::ioctl_fionread(&self.0).unwrap()
    }

    /// Fills it to the last byte.
    fn fill(&mut self) {
        fcntl_setfl(&self.0, OFlags::NONBLOCK).unwrap();
        while self.0.write(b"\n").is_ok() {}
    }
}

/// How a process ended, out of what it says so far.
async fn ends(mut ended: impl FnMut() -> Option<ExitStatus>) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = ended() {
            return status;
        }
        assert!(
            began.elapsed() < LONG,
            "it hangs, because nobody reads why it ends"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_node_that_cannot_start_ends_although_nobody_reads_why() {
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let log = folder.path().join("node.log");
    let mut pipe = Pipe::make(&log);
    pipe.fill();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    // One before there is a log, and one after.
    for (wrong, status) in [(["--listen", "nowhere"], 64), (["--listen", &taken], 1)] {
        let out = File::options().write(true).open(&log).unwrap();
        let child = Command::new(REFRAIN)
            .args(serve_args(&folder.path().join("node"), &key))
            .args(wrong)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn();
        let mut child = Killed(child.unwrap());
        let ended = ends(|| child.0.try_wait().unwrap()).await;
        assert_eq!(ended.code(), Some(status));
    }
}

/// A process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_sync_fails_ends_although_nobody_reads_why() {
    let folder = tempfile::tempdir().unwrap();
    let shim = match Shim::compile(folder.path()) {
        Ok(shim) => shim,
        Err(why) => return skip("cc", &format!("no sync can fail: {why}")),
    };
    let asked = folder.path().join("fail");
    let key = token_key(folder.path());
    let mut pipe = Pipe::make(&folder.path().join("node.log"));
    pipe.fill();
    let data = folder.path().join("node");
    let mut node = Node::start_in(&data, &key, &[], shim.environment(&asked, Path::new(""))).await;
    node.until_ready().await;
    File::create(&asked).unwrap();
    let change = opt_out("ada@example.com");
    let mut client = PreferenceServiceClient::new(channel(&node.client).unwrap());
    let changed = timeout(LONG, client.set_opt_out(change)).await;
    assert!(
        !matches!(changed, Ok(Ok(_))),
        "acknowledged although its sync failed"
    );
    let ended = ends(|| node.ended()).await;
    assert!(!asked.exists(), "it ended before its sync failed");
    assert_eq!(ended.code(), Some(1));
}
