//! A node of one in process, and short ways to ask it.

use std::{sync::Arc, time::Duration};

use refrain::{
    clock::{SystemClock, SystemEntropy},
    config::{Config, Secret, SecretSource},
    net::{Connector, Listener},
    proto::v1::{
        CheckRequest, CheckResponse, Identifier, ImportHeader, ImportOptOutsRequest, ImportRow,
        ImportRows, SetOptOutRequest, SetOptOutResponse,
        cluster_service_client::ClusterServiceClient,
        decision_service_client::DecisionServiceClient, identifier::Form,
        import_opt_outs_request::Part, preference_service_client::PreferenceServiceClient,
        registry_service_client::RegistryServiceClient, watch_service_client::WatchServiceClient,
    },
    server::{self, Injected, Running, disk::Disk},
    storage::{log::MemoryLog, memory::MemoryFiles},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

/// The token key of every node here.
pub const TOKEN_KEY: [u8; 32] = [7; 32];

/// A node that runs, with one connection to it.
pub struct Node {
    pub running: Running,
    pub channel: Channel,
    _folder: TempDir,
}

impl Node {
    /// A cluster of one, ready.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(MemoryLog::new(), MemoryFiles::new(), change).await
    }

    /// The same, on a disk that may outlive it.
    pub async fn start_on(
        log: MemoryLog,
        files: MemoryFiles,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut config = Config::in_folder(folder.path());
        config.token_key = SecretSource::Given(Secret::new(TOKEN_KEY));
        config.sealing_key = SecretSource::Given(Secret::new([8; 32]));
        change(&mut config);
        let joins = config.join;
        let listen = || Listener::tcp("127.0.0.1:0".parse().expect("address"));
        let injected = Injected {
            client_listener: listen().await.expect("client listener"),
            peer_listener: listen().await.expect("peer listener"),
            connector: Connector::tcp(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            disk: Disk::in_memory(log, files, &SystemEntropy).expect("disk"),
        };
        let running = Box::pin(server::start(config, injected)).await;
        let running = running.expect("start");
        let channel = connect(&running).await;
        let node = Self {
            running,
            channel,
            _folder: folder,
        };
        if !joins {
            node.until_ready().await;
        }
        node
    }

    /// Waits until the node serves.
    pub async fn until_ready(&self) {
        for _ in 0..1_000 {
            let request = HealthCheckRequest::default();
            let answer = HealthClient::new(self.channel.clone()).check(request).await;
            if answer.is_ok_and(|it| it.into_inner().status() == ServingStatus::Serving) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the node never became ready");
    }

    pub fn decisions(&self) -> DecisionServiceClient<Channel> {
        DecisionServiceClient::new(self.channel.clone())
    }

    pub fn preferences(&self) -> PreferenceServiceClient<Channel> {
        PreferenceServiceClient::new(self.channel.clone())
    }

    pub fn watches(&self) -> WatchServiceClient<Channel> {
        WatchServiceClient::new(self.channel.clone())
    }

    pub fn registry(&self) -> RegistryServiceClient<Channel> {
        RegistryServiceClient::new(self.channel.clone())
    }

    pub fn cluster(&self) -> ClusterServiceClient<Channel> {
        ClusterServiceClient::new(self.channel.clone())
    }

    /// Asks about an e-mail address.
    pub async fn check(&self, email: &str, purpose: &str) -> CheckResponse {
        let answer = self.decisions().check(question(email, purpose)).await;
        answer.expect("check").into_inner()
    }

    /// Opts an e-mail address out.
    pub async fn opt_out(&self, email: &str, purpose: &str) -> SetOptOutResponse {
        let done = self
            .preferences()
            .set_opt_out(opt_out(email, purpose))
            .await;
        done.expect("opt out").into_inner()
    }

    /// Opts `0@example.com`, `1@example.com` and so on out of `sale`, in one call and an event each.
    pub async fn opt_out_many(&self, count: u64) {
        let row = |n: u64| ImportRow {
            identifiers: vec![email(&format!("{n}@example.com"))],
            purposes: vec!["sale".to_owned()],
        };
        let header = Part::Header(ImportHeader {
            import_id: request_id(),
            ..ImportHeader::default()
        });
        let rows = (0..count).step_by(500).map(|first_row| {
            let rows = (first_row..count.min(first_row + 500)).map(row).collect();
            Part::Rows(ImportRows { first_row, rows })
        });
        let messages: Vec<_> = std::iter::once(header)
            .chain(rows)
            .map(|part| ImportOptOutsRequest { part: Some(part) })
            .collect();
        let report = self
            .preferences()
            .import_opt_outs(tokio_stream::iter(messages))
            .await;
        assert_eq!(report.expect("import").into_inner().changed, count);
    }
}

/// Another connection.
pub async fn connect(running: &Running) -> Channel {
    Endpoint::from_shared(format!("http://{}", running.client_address))
        .expect("endpoint")
        .tcp_nodelay(true)
        .connect()
        .await
        .expect("connect")
}

pub fn email(address: &str) -> Identifier {
    value("email", address)
}

pub fn value(kind: &str, value: &str) -> Identifier {
    Identifier {
        r#type: kind.to_owned(),
        form: Some(Form::Value(value.to_owned())),
    }
}

pub fn question(address: &str, purpose: &str) -> CheckRequest {
    CheckRequest {
        identifiers: vec![email(address)],
        purpose: purpose.to_owned(),
        ..CheckRequest::default()
    }
}

pub fn opt_out(address: &str, purpose: &str) -> SetOptOutRequest {
    SetOptOutRequest {
        identifiers: vec![email(address)],
        purposes: vec![purpose.to_owned()],
        ..SetOptOutRequest::default()
    }
}

/// A fresh request id.
pub fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Holds that a call was refused for this reason, and that nothing was done.
#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.expect_err("must be refused");
    assert_status(&status, code, reason);
}

/// Holds that a status has this code and reason, and says that nothing was done and what to do.
#[track_caller]
pub fn assert_status(status: &Status, code: Code, reason: &str) {
    let info = status
        .get_details_error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (code, reason),
        "{status:?}"
    );
    assert_eq!(info.domain, "refrain");
    let outcome = info.metadata.get("outcome").map(String::as_str);
    assert_eq!(outcome, Some("not_applied"), "{status:?}");
    assert!(info.metadata.contains_key("what_to_do"));
    assert!(!status.message().is_empty());
}

/// What counts as out of the ordinary at first.
pub fn thresholds() -> Value {
    json!({
        "subject_window_s": 600,
        "subject_changes": 20,
        "subject_turns": 6,
        "caller_window_s": 60,
        "caller_changes": 6_000,
        "repeat_window_s": 600,
        "repeats": 20,
        "import_factor": 10,
        "import_rows": 1_000,
    })
}
