//! `refrain doctor`: in what the nodes are not alike, not as the template says, or not well; and what to mend.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use refrain::{
    config::{Config, ServeArgs},
    consensus::{Setting, Told, drift},
    proto::v1::{Member, StatusResponse},
    storage::space::ACCEPT_FROM,
};
use serde_json::{Value, json};

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, size},
};

/// Clocks further apart than this are worth a word, in milliseconds: ids and expiries go by them.
const CLOCKS_APART_MS: i64 = 1_000;
/// Less room than this on a disk is worth a word, in bytes.
const LITTLE_ROOM: u64 = 2 << 30;

/// Compares every node's settings, version, key, clock, disk and limits with the others', and with a template
///
/// Exit status 0: nothing has to be mended. 2: something has; each line says what. Where a node does not answer, the others are compared.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A configuration file that every node is meant to have; what is the node's own in it, such as addresses, does not count
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// It has to be mended.
    Mend,
    /// It is worth a look.
    Note,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    severity: Severity,
    what: String,
}

/// Runs `doctor`.
pub async fn run(args: &DoctorArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let template = args.template.clone().map(template).transpose()?;
    let status = client.client()?.cluster_status().await?;
    let mut findings = examine(&status, template.as_deref());
    findings.sort();
    findings.dedup();
    let json = json!({
        "nodes": status.members.len(),
        "findings": findings.iter().map(|it| json!({
            "severity": word(it.severity),
            "finding": it.what,
        })).collect::<Vec<Value>>(),
    });
    output.result(|| as_text(&status, &findings, output.paint), &json)?;
    let mend = findings.iter().any(|it| it.severity == Severity::Mend);
    Ok(if mend { exit::ALARM } else { exit::OK })
}

/// The settings of a configuration file.
fn template(path: PathBuf) -> Result<Vec<Setting>, Failure> {
    let named = path.display().to_string();
    let args = ServeArgs {
        config: Some(path),
        ..ServeArgs::default()
    };
    let config = Config::of_file(&args)
        .map_err(|error| Failure::usage(format!("the template {named}: {error}")))?;
    let settings = config.effective().into_iter();
    Ok(settings
        .map(|it| Setting {
            name: it.name.to_owned(),
            value: it.value,
            own: it.own,
        })
        .collect())
}

fn examine(status: &StatusResponse, template: Option<&[Setting]>) -> Vec<Finding> {
    let mend = |what: String| Finding {
        severity: Severity::Mend,
        what,
    };
    let note = |what: String| Finding {
        severity: Severity::Note,
        what,
    };
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(status.alarms.iter().cloned().map(mend));
    let nodes: Vec<&Member> = status.members.iter().filter(|it| it.reachable).collect();
    let told: Vec<(u64, Vec<Setting>)> = nodes.iter().map(|node| settings(node)).collect();
    let all: Vec<Told<'_>> = told
        .iter()
        .map(|(node, settings)| Told {
            node: *node,
            settings,
        })
        .collect();
    findings.extend(drift(&all).iter().map(|it| mend(it.alarm())));
    if let Some(template) = template {
        for (node, settings) in nodes.iter().zip(&told) {
            findings.extend(unlike(node, &settings.1, template).map(mend));
        }
    }
    if let Some(apart) = differ(&nodes, |node| node.version.clone()) {
        findings.push(note(format!(
            "the nodes run different versions ({apart}): end the upgrade that was begun"
        )));
    }
    if let Some(apart) = differ(&nodes, |node| node.key_fingerprint.clone()) {
        findings.push(mend(format!(
            "the nodes have different token keys ({apart}): give all of them the cluster's, and restart those that had another"
        )));
    }
    findings.extend(clocks(&nodes).into_iter().map(note));
    for node in &nodes {
        let (id, free) = (&node.node_id, node.disk_free_bytes);
        if free < ACCEPT_FROM {
            findings.push(mend(format!(
                "{id} has {} left on its disk: below {} it leads no more; make room",
                size(free),
                size(ACCEPT_FROM)
            )));
        } else if free < LITTLE_ROOM {
            findings.push(note(format!("{id} has {} left on its disk", size(free))));
        }
    }
    findings
}

fn settings(node: &Member) -> (u64, Vec<Setting>) {
    let id = u64::from_str_radix(&node.node_id, 16).unwrap_or_default();
    let settings = node.settings.iter().map(|it| Setting {
        name: it.name.clone(),
        value: it.value.clone(),
        own: it.own,
    });
    (id, settings.collect())
}

/// The settings of a node that are not the template's.
fn unlike<'a>(
    node: &'a Member,
    settings: &'a [Setting],
    template: &'a [Setting],
) -> impl Iterator<Item = String> + 'a {
    template.iter().filter(|it| !it.own).filter_map(|wanted| {
        let has = settings.iter().find(|it| it.name == wanted.name)?;
        (has.value != wanted.value).then(|| {
            format!(
                "{}: {} is `{}`, and `{}` in the template: set it there as the template says, and restart that node",
                node.node_id, wanted.name, has.value, wanted.value
            )
        })
    })
}

/// What nodes say, with who says it, where not all say the same.
fn differ(nodes: &[&Member], of: impl Fn(&Member) -> String) -> Option<String> {
    let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        said.entry(of(node)).or_default().push(&node.node_id);
    }
    // A version that does not tell has no say.
    said.remove("");
    (said.len() > 1).then(|| {
        let each = said.iter();
        let each = each.map(|(what, who)| format!("{what} on {}", who.join(", ")));
        each.collect::<Vec<_>>().join("; ")
    })
}

/// Clocks that are far from the one in the middle.
fn clocks(nodes: &[&Member]) -> Vec<String> {
    let clock = |node: &&Member| {
        let clock = node.clock.as_ref()?;
        Some(clock.seconds.saturating_mul(1_000) + i64::from(clock.nanos / 1_000_000))
    };
    let mut told: Vec<i64> = nodes.iter().filter_map(clock).collect();
    told.sort_unstable();
    let Some(middle) = told.get(told.len().saturating_sub(1) / 2).copied() else {
        return Vec::new();
    };
    nodes
        .iter()
        .filter_map(|node| {
            let apart = clock(node)?.saturating_sub(middle);
            (apart.abs() > CLOCKS_APART_MS).then(|| {
                let side = if apart > 0 { "ahead of" } else { "behind" };
                format!(
                    "the clock of {} is {} ms {side} the middle one: look at its time synchronisation",
                    node.node_id,
                    apart.abs()
                )
            })
        })
        .collect()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Mend => "mend",
        Severity::Note => "note",
    }
}

fn as_text(status: &StatusResponse, findings: &[Finding], paint: Paint) -> String {
    let members = status.members.len();
    let answered = status.members.iter().filter(|it| it.reachable).count();
    let mut lines: Vec<String> = findings
        .iter()
        .map(|it| {
            let tone = match it.severity {
                Severity::Mend => Tone::Bad,
                Severity::Note => Tone::Bold,
            };
            format!("{}  {}", paint.text(tone, word(it.severity)), it.what)
        })
        .collect();
    if findings.is_empty() {
        lines.push(format!(
            "{}  {members} nodes are alike and well",
            paint.text(Tone::Good, "healthy")
        ));
    } else {
        lines.push(format!("{answered} of {members} nodes were compared"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64, max_calls: &str) -> Member {
        let setting = |name: &str, value: &str, own| refrain::proto::v1::Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            own,
        };
        Member {
            node_id: format!("{id:016x}"),
            reachable: true,
            version: "0.1.0".to_owned(),
            key_fingerprint: "ab".repeat(16),
            disk_free_bytes: 1 << 40,
            clock: Some(prost_types::Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            settings: vec![
                setting("listen", &format!("10.0.0.{id}:7400"), true),
                setting("max_calls", max_calls, false),
            ],
            ..Member::default()
        }
    }

    fn found(nodes: &[Member; 3], template: Option<&[Setting]>) -> Vec<Finding> {
        let status = StatusResponse {
            members: nodes.to_vec(),
            ..StatusResponse::default()
        };
        examine(&status, template)
    }

    #[test]
    fn nodes_that_are_alike_have_nothing_to_mend() {
        let nodes = [1, 2, 3].map(|id| node(id, "64"));
        assert_eq!(found(&nodes, None), []);
    }

    #[test]
    fn each_thing_that_is_not_alike_is_named_with_its_node() {
        let alike = || [1, 2, 3].map(|id| node(id, "64"));
        let of = |change: &dyn Fn(&mut Member)| {
            let mut nodes = alike();
            change(&mut nodes[1]);
            let found = found(&nodes, None);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].what.contains("0000000000000002"), "{found:?}");
            found[0].clone()
        };
        let drifted = of(&|node| node.settings[1].value = "8".to_owned());
        assert_eq!(drifted.severity, Severity::Mend);
        assert!(drifted.what.contains("max_calls is `8`"), "{drifted:?}");
        let old = of(&|node| node.version = "0.0.9".to_owned());
        assert_eq!(old.severity, Severity::Note);
        let other = of(&|node| node.key_fingerprint = "cd".repeat(16));
        assert_eq!(other.severity, Severity::Mend);
        let late = of(&|node| {
            node.clock = node.clock.map(|at| prost_types::Timestamp {
                seconds: at.seconds - 3,
                ..at
            });
        });
        assert!(late.what.contains("3000 ms behind"), "{late:?}");
        let full = of(&|node| node.disk_free_bytes = 1 << 20);
        assert_eq!(full.severity, Severity::Mend);
        let filling = of(&|node| node.disk_free_bytes = 1 << 30);
        assert_eq!(filling.severity, Severity::Note);
    }

    #[test]
    fn a_template_counts_for_all_but_what_is_a_nodes_own() {
        let setting = |name: &str, value: &str, own| Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            own,
        };
        let template = [
            setting("listen", "0.0.0.0:7400", true),
            setting("max_calls", "64", false),
        ];
        let nodes = || [1, 2, 3].map(|id| node(id, "64"));
        assert_eq!(found(&nodes(), Some(&template)), []);
        let other = [setting("max_calls", "128", false)];
        assert_eq!(found(&nodes(), Some(&other)).len(), 3);
    }
}
