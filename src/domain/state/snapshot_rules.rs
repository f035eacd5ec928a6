//! The rules and the usage of a state, as chunks of a snapshot.

use super::State;
use super::journal_keys::JournalKey;
use super::snapshot::Batches;
use super::stamp_keys::StampKey;
use crate::domain::change::SchemaFloor;
use crate::domain::encoding::{
    anomaly_settings_out, floor_out, lifted_out, member_out, node_key_out, override_out,
    pending_out, purpose_names_out, seen_out,
};
use crate::domain::registry::PurposeId;
use crate::proto::persisted::{
    self, ConfigureNamespace, KnownJournalKey, KnownStampKey, RuleSection, UsageSection,
    state_chunk::Section,
};

impl State {
    /// Floors, settings, changes that wait, overrides, keys, members; nothing where there are none.
    pub(super) fn rule_sections(&self) -> impl Iterator<Item = Section> + Send + use<> {
        let floors: Vec<_> = self.floors.iter().map(|it| self.floor(it)).collect();
        let settings: Vec<_> = self.settings();
        let pending: Vec<_> = self.changes.pending().map(pending_out).collect();
        let overrides: Vec<_> = self.changes.overrides().map(override_out).collect();
        let stamp_keys: Vec<_> = self.stamp_keys.iter().map(known_out).collect();
        let journal_keys: Vec<_> = self.journal_keys.iter().map(journal_key_out).collect();
        let members: Vec<_> = self.members().map(member_out).collect();

        let of = |section: RuleSection| Section::Rules(section);
        let floors = Batches::new(floors.into_iter(), prost::Message::encoded_len).map(|floors| {
            RuleSection {
                floors,
                ..RuleSection::default()
            }
        });
        let settings =
            Batches::new(settings.into_iter(), prost::Message::encoded_len).map(|settings| {
                RuleSection {
                    settings,
                    ..RuleSection::default()
                }
            });
        let pending =
            Batches::new(pending.into_iter(), prost::Message::encoded_len).map(|pending| {
                RuleSection {
                    pending,
                    ..RuleSection::default()
                }
            });
        let overrides =
            Batches::new(overrides.into_iter(), prost::Message::encoded_len).map(|overrides| {
                RuleSection {
                    overrides,
                    ..RuleSection::default()
                }
            });
        let stamp_keys =
            Batches::new(stamp_keys.into_iter(), prost::Message::encoded_len).map(|stamp_keys| {
                RuleSection {
                    stamp_keys,
                    ..RuleSection::default()
                }
            });
        let journal_keys = Batches::new(journal_keys.into_iter(), prost::Message::encoded_len).map(
            |journal_keys| RuleSection {
                journal_keys,
                ..RuleSection::default()
            },
        );
        let anomaly_settings = self.anomaly_settings.map(|settings| RuleSection {
            anomaly_settings: Some(anomaly_settings_out(&settings)),
            ..RuleSection::default()
        });
        let members =
            Batches::new(members.into_iter(), prost::Message::encoded_len).map(|members| {
                RuleSection {
                    members,
                    ..RuleSection::default()
                }
            });
        floors
            .chain(settings)
            .chain(pending)
            .chain(overrides)
            .chain(stamp_keys)
            .chain(journal_keys)
            .chain(anomaly_settings)
            .chain(members)
            .map(of)
    }

    fn floor(&self, (id, version): (PurposeId, u32)) -> persisted::SchemaFloor {
        floor_out(&SchemaFloor {
            // The cluster's own stands at `*`, which is no purpose.
            purpose: self.registry.purpose(id).map(|it| it.name.clone()),
            version,
        })
    }

    fn settings(&self) -> Vec<ConfigureNamespace> {
        self.namespaces
            .configured()
            .filter_map(|(id, gpc)| {
                let purposes = gpc.iter().filter_map(|id| self.registry.name(*id));
                Some(ConfigureNamespace {
                    request_id: bytes::Bytes::new(),
                    namespace: self.namespaces.name(id)?.to_string(),
                    gpc_purposes: purpose_names_out(&purposes.collect::<Vec<_>>()),
                })
            })
            .collect()
    }

    /// What nodes have reported; nothing where they have reported nothing.
    pub(super) fn usage_sections(&self) -> impl Iterator<Item = Section> + Send + use<> {
        let services: Vec<_> = self.usage.services().map(seen_out).collect();
        let lifted: Vec<_> = self.usage.lifted().map(|it| lifted_out(&it)).collect();
        let reports: Vec<_> = self
            .usage
            .reports()
            .map(|(node_id, start, number)| persisted::ReportUsage {
                node_id,
                start,
                number,
                ..persisted::ReportUsage::default()
            })
            .collect();

        let services =
            Batches::new(services.into_iter(), prost::Message::encoded_len).map(|services| {
                UsageSection {
                    services,
                    ..UsageSection::default()
                }
            });
        let lifted = Batches::new(lifted.into_iter(), prost::Message::encoded_len).map(|lifted| {
            UsageSection {
                lifted,
                ..UsageSection::default()
            }
        });
        let reports =
            Batches::new(reports.into_iter(), prost::Message::encoded_len).map(|reports| {
                UsageSection {
                    reports,
                    ..UsageSection::default()
                }
            });
        services
            .chain(lifted)
            .chain(reports)
            .map(Section::Usage)
            .chain(self.anomaly_sections())
            .chain(self.monitor_sections())
            .chain(self.evidence_sections())
    }
}

fn known_out(key: &StampKey) -> KnownStampKey {
    KnownStampKey {
        key: Some(node_key_out(key.node_id, Some(&key.public_key))),
        added_at_ms: key.added_at.0,
        accepted_until_ms: key.accepted_until.map(|until| until.0),
    }
}

fn journal_key_out(key: &JournalKey) -> KnownJournalKey {
    KnownJournalKey {
        key: Some(node_key_out(key.node_id, Some(&key.public_key))),
        added_at: key.added_at,
        retired_at: key.retired_at.unwrap_or_default(),
    }
}
