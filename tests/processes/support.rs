//! Starts, kills and asks real nodes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use refrain::proto::v1::{
    StatusRequest, StatusResponse, cluster_service_client::ClusterServiceClient,
};
use serde_json::Value;
use tempfile::TempDir;

// By its path, for the test binaries that take this file by its own.
#[path = "asking.rs"]
mod asking;
#[allow(unused_imports, reason = "each test binary asks in its own ways")]
pub use asking::{channel, check, email, not_denied, opt_out, opt_out_through};

/// The program under test.
pub const REFRAIN: &str = env!("CARGO_BIN_EXE_refrain");

/// How long anything may take before the test fails: a bound on a hang, not a measurement.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is some, and fails the test when it never is.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Which program a node is, and where it lives: today's on loopback, on free ports, unless a test says otherwise.
pub struct Home {
    /// The program.
    pub program: PathBuf,
    /// Where it listens for clients.
    pub client: String,
    /// Where it listens for peers.
    pub peer: String,
    /// The command that starts the program there; none starts it here.
    pub within: Vec<String>,
}

impl Default for Home {
    fn default() -> Self {
        Self {
            program: REFRAIN.into(),
            client: "127.0.0.1:0".to_owned(),
            peer: "127.0.0.1:0".to_owned(),
            within: Vec::new(),
        }
    }
}

/// A node as a process, killed when dropped.
pub struct Node {
    /// Its data folder.
    pub data: PathBuf,
    /// Its client listener, as `host:port`.
    pub client: String,
    /// Its peer listener, as `host:port`.
    pub peer: String,
    /// Its id, 16 hex digits.
    pub id: String,
    /// Variables of its environment, from its next start on.
    pub env: Vec<(String, String)>,
    within: Vec<String>,
    /// The program that it runs, from its next start on.
    pub program: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The arguments of a node that keeps its data in `data`.
pub fn serve_args(data: &Path, key: &Path) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    [
        "serve",
        "--data",
        &path(data),
        "--token-key-file",
        &path(key),
    ]
    .map(str::to_owned)
    .to_vec()
}

impl Node {
    /// Starts a node on free ports; `extra` are further arguments of `serve`.
    pub async fn start(data: &Path, key: &Path, extra: &[&str]) -> Self {
        Self::start_in(data, key, extra, Vec::new()).await
    }

    /// The same, with variables of its environment.
    pub async fn start_in(
        data: &Path,
        key: &Path,
        extra: &[&str],
        env: Vec<(String, String)>,
    ) -> Self {
        Self::start_at(Home::default(), data, key, extra, env).await
    }

    /// The same, somewhere else.
    pub async fn start_at(
        home: Home,
        data: &Path,
        key: &Path,
        extra: &[&str],
        env: Vec<(String, String)>,
    ) -> Self {
        match Self::launch(home, data, key, extra, env).await {
            Ok(node) => node,
            Err((_, said)) => panic!("the node ended at start:\n{said}"),
        }
    }

    /// As [`Node::start`]; the error is how a node ended that does not start, and what it said.
    pub async fn try_start(
        data: &Path,
        key: &Path,
        extra: &[&str],
    ) -> Result<Self, (ExitStatus, String)> {
        Self::launch(Home::default(), data, key, extra, Vec::new()).await
    }

    async fn launch(
        home: Home,
        data: &Path,
        key: &Path,
        extra: &[&str],
        env: Vec<(String, String)>,
    ) -> Result<Self, (ExitStatus, String)> {
        let mut args = serve_args(data, key);
        args.extend(extra.iter().map(|arg| (*arg).to_owned()));
        let mut node = Self {
            data: data.to_owned(),
            client: home.client,
            peer: home.peer,
            id: String::new(),
            env,
            within: home.within,
            program: home.program,
            args,
            child: None,
        };
        match node.try_restart().await {
            Ok(()) => Ok(node),
            Err(status) => Err((status, node.log())),
        }
    }

    /// One node that forms a cluster of its own, and serves.
    pub async fn start_single(folder: &TempDir) -> Self {
        let key = token_key(folder.path());
        let node = Self::start(&folder.path().join("node"), &key, &[]).await;
        node.until_ready().await;
        node
    }

    /// Starts the process again, on the ports it had.
    pub async fn restart(&mut self) {
        let started = self.try_restart().await;
        assert!(started.is_ok(), "the node ended at start:\n{}", self.log());
    }

    /// The same; the error is how it ended.
    pub async fn try_restart(&mut self) -> Result<(), ExitStatus> {
        self.kill();
        let ready_file = self.data.with_extension("ready.json");
        let _ = std::fs::remove_file(&ready_file);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.data.with_extension("log"))
            .unwrap();
        let program = self.program.display().to_string();
        let mut words = self.within.iter().chain([&program]);
        let child = Command::new(words.next().unwrap())
            .args(words)
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .args(["--listen", &self.client, "--peer-listen", &self.peer])
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let ready: Value = eventually("the node listens", || {
            let ended = self.ended();
            let read = std::fs::read(&ready_file).ok();
            let ready = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            async move { ended.map(Err).or(ready.map(Ok)) }
        })
        .await?;
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        self.client = text("client");
        self.peer = text("peer");
        self.id = text("node_id");
        Ok(())
    }

    /// Ends the process at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the process to stop, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        let pid = self.pid().expect("the node runs");
        let mut child = self.child.take().expect("the node runs");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        eventually("the node stops", || {
            let ended = child.try_wait().unwrap();
            async move { ended }
        })
        .await
    }

    /// The process's id, while it runs or has not been waited for.
    pub fn pid(&self) -> Option<rustix::process::Pid> {
        self.child.as_ref().map(rustix::process::Pid::from_child)
    }

    /// Whether the process runs.
    pub fn runs(&mut self) -> bool {
        self.child.is_some() && self.ended().is_none()
    }

    /// How the process ended, if it has by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// What the process has printed since its first start.
    pub fn log(&self) -> String {
        // A pipe in its place has no end.
        let log = Some(self.data.with_extension("log")).filter(|log| log.is_file());
        let text = log.map(std::fs::read_to_string);
        text.and_then(Result::ok).unwrap_or_default()
    }

    /// Waits until the node serves.
    pub async fn until_ready(&self) {
        eventually("the node is ready", || async {
            check(&self.client, "nobody@example.com").await.ok()
        })
        .await;
    }

    /// Runs the program against this node.
    pub fn run(&self, args: &[&str]) -> Output {
        refrain(&self.client, args)
    }

    /// What this node says of the cluster.
    pub async fn status(&self) -> Option<StatusResponse> {
        let mut client = ClusterServiceClient::new(channel(&self.client)?);
        client
            .status(StatusRequest {})
            .await
            .ok()
            .map(tonic::Response::into_inner)
    }
}

/// Writes a key of 32 like bytes, readable by its owner alone.
pub fn write_key(path: &Path, byte: &str) {
    std::fs::write(path, byte.repeat(32)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A file with a token key.
pub fn token_key(folder: &Path) -> PathBuf {
    let path = folder.join("token.key");
    write_key(&path, "5b");
    path
}

/// Runs the program against an address.
pub fn refrain(address: &str, args: &[&str]) -> Output {
    Command::new(REFRAIN)
        .args(args)
        .env("REFRAIN_ENDPOINT", format!("http://{address}"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Fails the test with what was printed, unless the exit status is `code`.
pub fn expect(output: &Output, code: i32) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout:\n{out}\nstderr:\n{err}"
    );
    format!("{out}{err}")
}

/// A cluster of real processes.
pub struct Cluster {
    /// The folder that everything lies in.
    pub folder: TempDir,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The program that further nodes run.
    pub program: PathBuf,
    extra: Vec<String>,
}

impl Cluster {
    /// Starts `size` nodes and makes them one cluster of voters; `extra` are further arguments of `serve`.
    pub async fn start(size: usize, extra: &[&str]) -> Self {
        Self::start_as(Path::new(REFRAIN), size, extra).await
    }

    /// The same, of nodes that run another program.
    pub async fn start_as(program: &Path, size: usize, extra: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        token_key(folder.path());
        let extra = extra.iter().map(|arg| (*arg).to_owned()).collect();
        let mut cluster = Self {
            folder,
            nodes: Vec::new(),
            program: program.to_owned(),
            extra,
        };
        for _ in 0..size {
            cluster.spawn().await;
        }
        expect(&cluster.nodes[0].run(&["cluster", "init"]), 0);
        for node in &cluster.nodes[1..] {
            expect(&cluster.nodes[0].run(&["cluster", "add", &node.peer]), 0);
        }
        for node in &cluster.nodes {
            node.until_ready().await;
        }
        cluster
    }

    /// Starts one more node, which belongs to no cluster yet. Returns its place.
    pub async fn spawn(&mut self) -> usize {
        let place = self.nodes.len();
        let data = self.folder.path().join(format!("node{place}"));
        let mut extra: Vec<&str> = vec!["--join"];
        extra.extend(self.extra.iter().map(String::as_str));
        let key = self.folder.path().join("token.key");
        let home = Home {
            program: self.program.clone(),
            ..Home::default()
        };
        let node = Node::start_at(home, &data, &key, &extra, Vec::new()).await;
        self.nodes.push(node);
        place
    }

    /// The place of the node that leads, as a majority says.
    pub async fn leader(&self) -> usize {
        eventually("a leader", || async {
            let mut votes = vec![0; self.nodes.len()];
            for node in &self.nodes {
                let Some(status) = node.status().await else {
                    continue;
                };
                if let Some(place) = self.nodes.iter().position(|n| n.id == status.leader_id) {
                    votes[place] += 1;
                }
            }
            votes.iter().position(|votes| votes * 2 > self.nodes.len())
        })
        .await
    }
}
