//! A real Prometheus that scrapes the nodes of a test, with the rules that are shipped, hurried.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, eventually};

/// How many times faster an alert comes than in earnest, and the longest that it may take all the same, in seconds.
const HURRY: u64 = 10;
const LONGEST: u64 = 8;
/// What rates are taken over.
pub const RATE: &str = "15s";

/// The file of a folder of `deploy`.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

/// Prometheus, until it is dropped.
pub struct Prometheus {
    child: Child,
    address: String,
    targets: PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Whether there is one on this machine, and the tool that belongs to it.
    pub fn is_here() -> bool {
        ["prometheus", "promtool"].into_iter().all(|program| {
            let version = Command::new(program).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        })
    }

    /// Starts one that keeps everything in a folder.
    pub async fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let rules = fs::read_to_string(shipped("prometheus/refrain.rules.yaml")).unwrap();
        fs::write(folder.join("rules.yaml"), hurried(&rules)).unwrap();
        let targets = folder.join("targets.json");
        fs::write(&targets, "[]").unwrap();
        let config = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs:\n\
             - job_name: refrain\n  \
               file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]\n";
        fs::write(folder.join("prometheus.yaml"), config).unwrap();
        let log = folder.join("prometheus.log");
        let output = fs::File::create(&log).unwrap();
        let child = Command::new("prometheus")
            .args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"])
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut prometheus = Self {
            child,
            address: String::new(),
            targets,
        };
        prometheus.address = eventually("Prometheus listens", || async {
            let said = fs::read_to_string(&log).unwrap();
            let line = said
                .lines()
                .find(|line| line.contains("msg=\"Listening on\""))?;
            Some(line.split_once("address=")?.1.trim().to_owned())
        })
        .await;
        eventually("Prometheus is ready", || async {
            let ready = prometheus.get("/-/ready").await;
            ready.starts_with("HTTP/1.0 200").then_some(())
        })
        .await;
        prometheus
    }

    /// Has it scrape these nodes, by name and address.
    pub fn scrape(&self, nodes: &[(String, String)]) {
        let targets = nodes
            .iter()
            .map(|(name, address)| json!({ "targets": [address], "labels": { "instance": name } }));
        let targets = targets.collect::<Value>().to_string();
        let whole = self.targets.with_extension("new");
        fs::write(&whole, targets).unwrap();
        fs::rename(whole, &self.targets).unwrap();
    }

    /// The alerts that fire now, by name.
    pub async fn firing(&self) -> BTreeSet<String> {
        let answer = self.json("/api/v1/alerts").await;
        let alerts = answer["data"]["alerts"].as_array().unwrap();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What an expression gives now: a value for each series, as text.
    pub async fn query(&self, expression: &str) -> Vec<String> {
        let encoded: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = self.json(&format!("/api/v1/query?query={encoded}")).await;
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let series = answer["data"]["result"].as_array().unwrap();
        series
            .iter()
            .map(|one| one["value"][1].as_str().unwrap().to_owned())
            .collect()
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// An answer, head and body. Of HTTP 1.0, so that it comes in one piece.
    async fn get(&self, path: &str) -> String {
        let asked = async {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            let request = format!("GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        timeout(PATIENCE, asked).await.expect("an answer")
    }
}

/// The rules with what they wait for and look back on cut short.
fn hurried(rules: &str) -> String {
    let line = |line: &str| {
        let Some((indent, time)) = line.split_once("for: ") else {
            return line.replace("[5m]", &format!("[{RATE}]"));
        };
        let seconds = seconds(time).as_secs() / HURRY;
        format!("{indent}for: {}s", seconds.clamp(2, LONGEST))
    };
    rules.lines().map(|it| line(it) + "\n").collect::<String>()
}

fn seconds(time: &str) -> Duration {
    let (number, unit) = time.trim().split_at(time.trim().len() - 1);
    let each = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        other => panic!("{time}: {other} is no unit"),
    };
    Duration::from_secs(number.parse::<u64>().unwrap() * each)
}
