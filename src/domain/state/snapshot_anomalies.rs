//! What was counted lately and found out of the ordinary, as chunks of a snapshot, and back.

use bytes::Bytes;

use super::State;
use super::anomalies::{FoundAnomaly, ImportSize};
use super::namespaces::NamespaceId;
use super::recent::Counted;
use super::restore::{Fault, Restore};
use super::snapshot::Batches;
use crate::domain::anomaly::AnomalyKind;
use crate::domain::encoding::{
    anomaly_kind, anomaly_kind_out, digest16, namespace, principal, request_id, token, token_out,
    uuid_out,
};
use crate::domain::ids::{Millis, RequestId};
use crate::proto::persisted::{
    self, CountedSecond, RecentCount, RunningImport, UsageSection, state_chunk::Section,
};
use std::sync::Arc;

/// About how many bytes of a snapshot a key takes that is counted by.
const COUNT_BYTES: u64 = 128;

impl State {
    /// Counts, sizes and indexes; nothing where there are none.
    pub(super) fn anomaly_sections(&self) -> impl Iterator<Item = Section> + Send + use<> {
        let tables = self.anomalies.clone();
        let counts: Vec<_> = counts_out(&tables);
        let imports = &tables.imports;
        let running = imports.running.iter();
        let running: Vec<_> = running.map(|(id, size)| import_out(*id, size)).collect();
        let last = imports.last.values();
        let last: Vec<_> = last.map(|(id, size)| import_out(*id, size)).collect();
        let found: Vec<_> = tables.found.iter().map(found_out).collect();
        let totals = (tables.totals != [0; 5]).then(|| UsageSection {
            anomaly_totals: tables.totals.to_vec(),
            ..UsageSection::default()
        });

        let counts = Batches::new(counts.into_iter(), prost::Message::encoded_len);
        let counts = counts.map(|recent_counts| UsageSection {
            recent_counts,
            ..UsageSection::default()
        });
        let running = Batches::new(running.into_iter(), prost::Message::encoded_len);
        let running = running.map(|running_imports| UsageSection {
            running_imports,
            ..UsageSection::default()
        });
        let last = Batches::new(last.into_iter(), prost::Message::encoded_len);
        let last = last.map(|last_imports| UsageSection {
            last_imports,
            ..UsageSection::default()
        });
        let found = Batches::new(found.into_iter(), prost::Message::encoded_len);
        let found = found.map(|found_anomalies| UsageSection {
            found_anomalies,
            ..UsageSection::default()
        });
        counts
            .chain(running)
            .chain(last)
            .chain(found)
            .chain(totals)
            .map(Section::Usage)
    }

    /// About how many bytes all of that takes in a snapshot.
    pub(super) fn anomaly_bytes(&self) -> u64 {
        self.anomalies.watched() * COUNT_BYTES
    }
}

fn counts_out(tables: &super::anomalies::Anomalies) -> Vec<RecentCount> {
    let mut counts = Vec::new();
    let of = |kind, counted: &Counted| RecentCount {
        kind: anomaly_kind_out(kind).into(),
        seconds: counted
            .seconds
            .iter()
            .map(|(at_s, count)| CountedSecond {
                at_s: *at_s,
                count: *count,
            })
            .collect(),
        last_s: counted.last,
        quiet_until_s: counted.quiet_until,
        ..RecentCount::default()
    };
    let subjects = [
        (AnomalyKind::Flapping, &tables.turns),
        (AnomalyKind::ManyChanges, &tables.changes),
    ];
    for (kind, table) in subjects {
        counts.extend(table.iter().map(|((namespace, key), counted)| RecentCount {
            namespace: u32::from(namespace.0),
            token: token_out(key),
            ..of(kind, counted)
        }));
    }
    let callers = tables.callers.iter();
    counts.extend(callers.map(|(principal, counted)| RecentCount {
        principal: principal.to_string(),
        ..of(AnomalyKind::Burst, counted)
    }));
    let repeats = tables.repeats.iter();
    counts.extend(repeats.map(|(digest, counted)| RecentCount {
        digest: Bytes::copy_from_slice(digest),
        ..of(AnomalyKind::Repeated, counted)
    }));
    counts
}

fn import_out(id: RequestId, size: &ImportSize) -> RunningImport {
    RunningImport {
        id: uuid_out(id.0),
        namespace: u32::from(size.namespace.0),
        principal: size.principal.to_string(),
        rows: size.rows,
        before: size.before,
        at_ms: size.at.0,
        told: size.told,
    }
}

fn found_out(found: &FoundAnomaly) -> persisted::FoundAnomaly {
    persisted::FoundAnomaly {
        revision: found.revision,
        namespace: found
            .namespace
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        kind: anomaly_kind_out(found.kind).into(),
        received_at_ms: found.received_at.0,
    }
}

impl Restore {
    pub(super) fn anomalies(&mut self, section: &UsageSection) -> Result<(), Fault> {
        let tables = &mut self.state.anomalies;
        for message in &section.recent_counts {
            let seconds = message.seconds.iter();
            let counted = Counted {
                seconds: seconds.map(|it| (it.at_s, it.count)).collect(),
                last: message.last_s,
                quiet_until: message.quiet_until_s,
            };
            let subject = || Ok::<_, Fault>((place(message.namespace)?, token(&message.token)?));
            let new = match anomaly_kind(message.kind)? {
                AnomalyKind::Flapping => tables.turns.restore(subject()?, counted),
                AnomalyKind::ManyChanges => tables.changes.restore(subject()?, counted),
                AnomalyKind::Burst => tables
                    .callers
                    .restore(principal(&message.principal)?, counted),
                AnomalyKind::Repeated => {
                    tables.repeats.restore(digest16(&message.digest)?, counted)
                }
                AnomalyKind::ImportSize => false,
            };
            if !new {
                return Err(Fault::Damaged("what was counted lately does not fit"));
            }
        }
        let imports = Arc::make_mut(&mut tables.imports);
        for message in &section.running_imports {
            let (id, size) = import(message)?;
            if imports.running.insert(id, size).is_some() {
                return Err(Fault::Damaged("an import comes twice"));
            }
        }
        for message in &section.last_imports {
            let (id, size) = import(message)?;
            let key = (size.namespace, size.principal.clone());
            if imports.last.insert(key, (id, size)).is_some() {
                return Err(Fault::Damaged("a last import comes twice"));
            }
        }
        let found = Arc::make_mut(&mut tables.found);
        for message in &section.found_anomalies {
            let last = found.back().map_or(0, |last| last.revision);
            if message.revision <= last {
                return Err(Fault::Damaged("the events of anomalies are out of order"));
            }
            found.push_back(FoundAnomaly {
                revision: message.revision,
                namespace: match &*message.namespace {
                    "" => None,
                    name => Some(namespace(name)?),
                },
                kind: anomaly_kind(message.kind)?,
                received_at: Millis(message.received_at_ms),
            });
        }
        if !section.anomaly_totals.is_empty() {
            let totals = section.anomaly_totals[..].try_into();
            if tables.totals != [0; 5] {
                return Err(Fault::Damaged("the counts of anomalies come twice"));
            }
            tables.totals = totals.map_err(|_| Fault::Damaged("the counts of anomalies"))?;
        }
        Ok(())
    }
}

fn import(message: &RunningImport) -> Result<(RequestId, ImportSize), Fault> {
    let size = ImportSize {
        namespace: place(message.namespace)?,
        principal: principal(&message.principal)?,
        rows: message.rows,
        before: message.before,
        at: Millis(message.at_ms),
        told: message.told,
    };
    Ok((request_id(&message.id)?, size))
}

pub(super) fn place(namespace: u32) -> Result<NamespaceId, Fault> {
    let place = u16::try_from(namespace);
    let place = place.map_err(|_| Fault::Damaged("the place of a namespace"))?;
    Ok(NamespaceId(place))
}
