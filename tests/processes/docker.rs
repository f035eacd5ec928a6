//! The container image and the compose file: three nodes from an empty image, one of them stopped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use refrain::proto::v1::{
    Decision, StatusRequest, StatusResponse, cluster_service_client::ClusterServiceClient,
    preference_service_client::PreferenceServiceClient,
};
use tempfile::TempDir;

use crate::skip::skip;
use crate::support::{REFRAIN, channel, check, eventually, opt_out_through};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The nodes, as the compose file calls them.
const NODES: [&str; 3] = ["node1", "node2", "node3"];

/// Runs a command to its end.
fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must succeed, and returns what it printed.
fn done(command: &mut Command) -> String {
    let output = run(command);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

/// How Compose is called here; `None` without an engine that answers.
fn compose_command() -> Option<Vec<&'static str>> {
    let works = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        let output = command.args(&words[1..]).stdin(Stdio::null()).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !works(&["docker", "info"]) {
        return None;
    }
    let forms = [vec!["docker", "compose"], vec!["docker-compose"]];
    forms
        .into_iter()
        .find(|form| works(&[form.as_slice(), &["version"]].concat()))
}

/// An image that is removed with the test.
struct Image(String);

impl Image {
    /// Builds it, from the static binary that `TEST_STATIC_BIN` names or from one that is linked here.
    fn build() -> Self {
        let image = Self(format!("refrain:test-{}", std::process::id()));
        let mut script = Command::new(format!("{ROOT}/deploy/build-image.sh"));
        script.args(["--tag", &image.0]);
        if let Some(binary) = std::env::var_os("TEST_STATIC_BIN") {
            script.arg("--binary").arg(binary);
        } else {
            let profile = Path::new(REFRAIN).parent().unwrap();
            script.env("CARGO_TARGET_DIR", profile.parent().unwrap());
            if profile.ends_with("debug") {
                script.arg("--dev");
            }
        }
        done(&mut script);
        image
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        run(Command::new("docker").args(["image", "rm", "--force", &self.0]));
    }
}

/// The compose cluster, torn down with the test.
struct Cluster {
    compose: Vec<&'static str>,
    project: String,
    folder: TempDir,
    ports: [u16; 3],
    image: Image,
}

impl Cluster {
    /// A copy of the compose file with a key and free ports of its own.
    fn new(compose: Vec<&'static str>, image: Image) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(
            format!("{ROOT}/deploy/compose.yaml"),
            folder.path().join("compose.yaml"),
        )
        .unwrap();
        let key = folder.path().join("token.key");
        std::fs::write(&key, "5b".repeat(32)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(&key, mode).unwrap();
        // All three are held until all are known, so that they differ.
        let held = NODES.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        let project = format!("refrain-test-{}", std::process::id());
        Self {
            compose,
            project,
            folder,
            ports,
            image,
        }
    }

    fn compose(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.compose[0]);
        let file: PathBuf = self.folder.path().join("compose.yaml");
        let group = std::os::unix::fs::MetadataExt::gid(&std::fs::metadata(&file).unwrap());
        command
            .args(&self.compose[1..])
            .args(["--project-name", &self.project, "--file"])
            .arg(file)
            .args(args)
            .current_dir(self.folder.path())
            .env("NODE_IMAGE", &self.image.0)
            .env("KEY_GROUP", group.to_string());
        for (node, port) in ["NODE1_PORT", "NODE2_PORT", "NODE3_PORT"]
            .iter()
            .zip(self.ports)
        {
            command.env(node, port.to_string());
        }
        command
    }

    /// Where a node can be reached from here.
    fn address(&self, place: usize) -> String {
        format!("127.0.0.1:{}", self.ports[place])
    }

    /// One word that `docker inspect` says of a node's container.
    fn inspect(&self, place: usize, format: &str) -> String {
        let id = done(&mut self.compose(&["ps", "--quiet", "--all", NODES[place]]));
        let mut inspect = Command::new("docker");
        done(inspect.args(["inspect", "--format", format, id.trim()]))
            .trim()
            .to_owned()
    }

    async fn until_healthy(&self, place: usize) {
        let what = format!("{} is healthy", NODES[place]);
        eventually(&what, || async {
            (self.inspect(place, "{{.State.Health.Status}}") == "healthy").then_some(())
        })
        .await;
    }

    async fn status(&self, place: usize) -> Option<StatusResponse> {
        let mut client = ClusterServiceClient::new(channel(&self.address(place))?);
        client
            .status(StatusRequest {})
            .await
            .ok()
            .map(tonic::Response::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = run(&mut self.compose(&["logs", "--no-color", "--tail", "100"]));
            eprintln!("{}", String::from_utf8_lossy(&logs.stdout));
        }
        run(&mut self.compose(&["down", "--volumes", "--timeout", "3"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compose_cluster_denies_with_a_node_stopped() {
    let Some(compose) = compose_command() else {
        skip("docker", "no Docker engine with Compose answers here");
        return;
    };
    let cluster = Cluster::new(compose, Image::build());
    done(&mut cluster.compose(&["up", "--detach"]));
    done(&mut cluster.compose(&["run", "--rm", "-T", "init"]));
    // Again: what is done is done.
    done(&mut cluster.compose(&["run", "--rm", "-T", "init"]));
    for place in 0..NODES.len() {
        cluster.until_healthy(place).await;
        assert_eq!(
            cluster.inspect(place, "{{.HostConfig.ReadonlyRootfs}}"),
            "true"
        );
        assert_eq!(cluster.inspect(place, "{{.Config.User}}"), "65532:65532");
    }

    let ada = "ada@example.com";
    let mut client = PreferenceServiceClient::new(channel(&cluster.address(0)).unwrap());
    opt_out_through(&mut client, ada).await;
    for place in 0..NODES.len() {
        assert_eq!(
            check(&cluster.address(place), ada).await.unwrap(),
            Decision::Deny
        );
    }

    // The leader, which is the worst to lose.
    let stopped = eventually("a leader", || async {
        let status = cluster.status(0).await?;
        let leader = status
            .members
            .iter()
            .find(|member| member.node_id == status.leader_id)?;
        NODES
            .iter()
            .position(|node| leader.peer_address.starts_with(node))
    })
    .await;
    done(&mut cluster.compose(&["stop", NODES[stopped]]));
    assert_eq!(
        cluster.inspect(stopped, "{{.State.ExitCode}}"),
        "0",
        "SIGTERM ends with 0"
    );
    let bob = "bob@example.com";
    for place in (0..NODES.len()).filter(|place| *place != stopped) {
        let answer = eventually("a check is answered", || async {
            check(&cluster.address(place), ada).await.ok()
        })
        .await;
        assert_eq!(answer, Decision::Deny, "through {}", NODES[place]);
        let mut client = PreferenceServiceClient::new(channel(&cluster.address(place)).unwrap());
        opt_out_through(&mut client, bob).await;
    }

    done(&mut cluster.compose(&["start", NODES[stopped]]));
    cluster.until_healthy(stopped).await;
    for subject in [ada, bob] {
        assert_eq!(
            check(&cluster.address(stopped), subject).await.unwrap(),
            Decision::Deny
        );
    }
}
