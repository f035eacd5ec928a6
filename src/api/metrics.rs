//! What a scraper is told of a node: what was counted, and what can be read off it now.

use super::{Api, Call, status::Failure};
use crate::{
    admission::admit,
    authority::{ReadNode, Readings},
    domain::{AnomalyKind, NodeId, ViolationKind},
    metrics::Page,
    receipt,
};

impl Api {
    /// The page for a scraper.
    pub(super) fn metrics(&self, call: &Call) -> Result<String, Failure> {
        let admitted = admit(&call.caller, ReadNode)?;
        let readings = self.authority().readings(admitted);
        let mut page = Page::of(&self.parts().meters);
        node(&mut page, &readings);
        cluster(&mut page, &readings);
        disk(&mut page, &readings);
        state(&mut page, &readings);
        page.text().map_err(|error| {
            tracing::error!(%error, "the page of the metrics cannot be written");
            Failure::Panicked
        })
    }
}

fn truth(truth: bool) -> f64 {
    f64::from(u8::from(truth))
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a scraper knows no other numbers; past 2^53 the last digits do not matter"
)]
fn count(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

fn node(page: &mut Page, read: &Readings) {
    let labels = vec![
        ("node", NodeId(read.node_id).to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "cluster",
            read.cluster_id.map(hex::encode).unwrap_or_default(),
        ),
    ];
    page.info("node", "Which node this is", labels);
    page.gauge(
        "ready",
        "Whether the node answers checks",
        truth(read.health.ready),
    );
    let reason = [(read.health.reason.clone(), 1.0)];
    page.gauges(
        "health",
        "Why the node does not serve, or what it lacks although it serves: `ok`, `no_quorum`, `disk_nearly_full` and the like",
        "reason",
        reason,
    );
    if let Some(ahead) = read.clock_ahead_ms {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a clock that is off by 2^53 ms is off"
        )]
        page.gauge(
            "clock_ahead_seconds",
            "How far the node's clock is ahead of the members' median; behind it, less than none",
            ahead as f64 / 1_000.0,
        );
    }
    page.gauge(
        "config_drift",
        "Settings on which the node is not with most of the members",
        count(read.drift),
    );
}

fn cluster(page: &mut Page, read: &Readings) {
    page.gauge("leads", "Whether the node leads", truth(read.leads));
    page.gauge(
        "leader_known",
        "Whether the node knows a leader",
        truth(read.leader_known),
    );
    page.gauge("term", "The term that the node is in", count(read.term));
    let members = [
        ("voter".to_owned(), count(read.voters)),
        ("learner".to_owned(), count(read.learners)),
    ];
    page.gauges(
        "members",
        "The members that the node knows, itself among them",
        "role",
        members,
    );
    let peers = read.peers.iter();
    let peers = peers.map(|(id, reached)| (NodeId(*id).to_string(), truth(*reached)));
    page.gauges(
        "peer_up",
        "Whether another member answered this node when it was last asked, every few seconds",
        "peer",
        peers,
    );
}

fn disk(page: &mut Page, read: &Readings) {
    page.gauge(
        "log_last_index",
        "The last index of the log that the node has",
        count(read.last_index),
    );
    page.gauge(
        "log_applied_index",
        "The index of the log up to which the node has applied",
        count(read.applied_index),
    );
    page.gauge(
        "log_bytes",
        "Bytes of log on the disk",
        count(read.log_bytes),
    );
    page.gauge(
        "snapshot_bytes",
        "Bytes of the latest snapshot",
        count(read.snapshot_bytes),
    );
    page.gauge(
        "journal_events",
        "Events of the journal that can be read here; fewer than the revision while the node fetches what came before its snapshot",
        count(read.journal_events),
    );
    page.gauge(
        "disk_free_bytes",
        "Bytes left on the disk of the data folder",
        count(read.disk_free_bytes),
    );
    page.gauge(
        "disk_reserve_bytes",
        "Bytes that have to be left on the disk for changes to be taken",
        count(read.disk_reserve_bytes),
    );
}

fn state(page: &mut Page, read: &Readings) {
    page.gauge(
        "revision",
        "How many events the node has applied",
        count(read.revision),
    );
    page.gauge(
        "feature_level",
        "The feature level in force",
        count(read.feature_level),
    );
    page.gauge(
        "overrides_active",
        "Overrides that lift opt-outs now",
        count(read.overrides),
    );
    page.gauge(
        "subjects",
        "Tokens with a preference on record",
        count(read.subjects),
    );
    let kinds = ViolationKind::ALL.into_iter().zip(read.violations);
    let kinds = kinds.map(|(kind, found)| {
        let name = receipt::contract::violation_kind(kind).as_str_name();
        let name = name.strip_prefix("VIOLATION_KIND_").unwrap_or(name);
        (name.to_lowercase(), count(found))
    });
    page.gauges(
        "violations",
        "Violations that services' reports told of within the last two weeks",
        "kind",
        kinds,
    );
    let kinds = AnomalyKind::ALL.into_iter().zip(read.anomalies);
    let kinds = kinds.map(|(kind, found)| {
        let name = receipt::contract::anomaly_kind(kind).as_str_name();
        let name = name.strip_prefix("ANOMALY_KIND_").unwrap_or(name);
        (name.to_lowercase(), count(found))
    });
    page.gauges(
        "anomalies",
        "Anomalies that the cluster has ever found",
        "kind",
        kinds,
    );
}
