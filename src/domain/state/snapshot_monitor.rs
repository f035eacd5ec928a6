//! What was found in services' reports, as chunks of a snapshot, and back.

use super::State;
use super::monitor::{FloorSet, Found};
use super::restore::{Fault, Restore};
use super::snapshot::Batches;
use crate::domain::encoding::{
    event_id, namespace, r#override, override_out, purpose_names, service, uuid_out,
};
use crate::domain::ids::Millis;
use crate::domain::monitor::Tally;
use crate::domain::registry::PurposeId;
use crate::proto::persisted::{
    EndedOverride, FloorTime, FoundViolations, MonitoredHour, OverrideApproval, ReportViolations,
    UsageSection, state_chunk::Section,
};

impl State {
    /// Counts, marks and indexes; nothing where there are none.
    pub(super) fn monitor_sections(&self) -> impl Iterator<Item = Section> + Send + use<> {
        let monitor = &self.monitor;
        let hours: Vec<_> = monitor.hours().map(hour_out).collect();
        let reports = monitor.reports();
        let reports: Vec<_> = reports
            .map(|(node_id, start, number)| ReportViolations {
                node_id,
                start,
                number,
                ..ReportViolations::default()
            })
            .collect();
        let found: Vec<_> = monitor.found().map(found_out).collect();
        let approvals: Vec<_> = monitor
            .begun()
            .map(|(id, at)| OverrideApproval {
                id: uuid_out(id.0),
                at_ms: at.0,
            })
            .collect();
        let ended: Vec<_> = monitor
            .overrides()
            .map(|(it, approved_at)| EndedOverride {
                r#override: Some(override_out(it)),
                approved_at_ms: approved_at.0,
            })
            .collect();
        let floors: Vec<_> = monitor.floors().map(|it| self.floor_time(it)).collect();

        let hours = Batches::new(hours.into_iter(), prost::Message::encoded_len);
        let hours = hours.map(|monitored_hours| UsageSection {
            monitored_hours,
            ..UsageSection::default()
        });
        let reports = Batches::new(reports.into_iter(), prost::Message::encoded_len);
        let reports = reports.map(|violation_reports| UsageSection {
            violation_reports,
            ..UsageSection::default()
        });
        let found = Batches::new(found.into_iter(), prost::Message::encoded_len);
        let found = found.map(|found_violations| UsageSection {
            found_violations,
            ..UsageSection::default()
        });
        let approvals = Batches::new(approvals.into_iter(), prost::Message::encoded_len);
        let approvals = approvals.map(|override_approvals| UsageSection {
            override_approvals,
            ..UsageSection::default()
        });
        let ended = Batches::new(ended.into_iter(), prost::Message::encoded_len);
        let ended = ended.map(|ended_overrides| UsageSection {
            ended_overrides,
            ..UsageSection::default()
        });
        let floors = Batches::new(floors.into_iter(), prost::Message::encoded_len);
        let floors = floors.map(|floor_times| UsageSection {
            floor_times,
            ..UsageSection::default()
        });
        hours
            .chain(reports)
            .chain(found)
            .chain(approvals)
            .chain(ended)
            .chain(floors)
            .map(Section::Usage)
    }

    fn floor_time(&self, (id, set): (PurposeId, FloorSet)) -> FloorTime {
        let purpose = self.registry.purpose(id);
        FloorTime {
            // The cluster's own stands at `*`, which is no purpose.
            purpose: purpose.map(|it| it.name.to_string()).unwrap_or_default(),
            at_ms: set.since.0,
            before: set.before,
            before_at_ms: set.before_since.0,
        }
    }
}

impl Restore {
    pub(super) fn monitor(&mut self, section: UsageSection) -> Result<(), Fault> {
        let monitor = &mut self.state.monitor;
        for message in &section.monitored_hours {
            let name = service(&message.service)?;
            let found = message.found[..].try_into();
            let found = found.map_err(|_| Fault::Damaged("the counts of violations"))?;
            let tally = Tally {
                judged: message.judged,
                found,
            };
            if !monitor.restore_hour(message.hour, name, tally) {
                return Err(Fault::Damaged("an hour of a service comes twice"));
            }
        }
        for message in &section.violation_reports {
            if !monitor.restore_report(message.node_id, message.start, message.number) {
                return Err(Fault::Damaged("a node's mark comes twice"));
            }
        }
        for message in &section.found_violations {
            let found = Found {
                revision: message.revision,
                namespace: namespace(&message.namespace)?,
                service: service(&message.service)?,
                received_at: Millis(message.received_at_ms),
            };
            if !monitor.restore_found(found) {
                return Err(Fault::Damaged("the events of violations are out of order"));
            }
        }
        for message in &section.override_approvals {
            monitor.began(event_id(&message.id)?, Millis(message.at_ms));
        }
        for message in section.ended_overrides {
            let lost = Fault::Damaged("an override that is over");
            let ended = r#override(message.r#override.ok_or(lost)?)?;
            monitor.restore_ended(ended, Millis(message.approved_at_ms));
        }
        for message in &section.floor_times {
            let id = match &*message.purpose {
                "" => PurposeId::ROOT,
                name => {
                    let names = purpose_names(&[name.to_owned()])?;
                    let id = names.first().and_then(|name| self.registry.id(name));
                    id.ok_or(Fault::Damaged("a floor of a purpose that is not there"))?
                }
            };
            let set = FloorSet {
                since: Millis(message.at_ms),
                before: message.before,
                before_since: Millis(message.before_at_ms),
            };
            monitor.restore_floor(id, set);
        }
        Ok(())
    }
}

fn hour_out(
    ((hour, service), tally): (&(u64, crate::domain::ServiceName), &Tally),
) -> MonitoredHour {
    MonitoredHour {
        hour: *hour,
        service: service.to_string(),
        judged: tally.judged,
        found: tally.found.to_vec(),
    }
}

fn found_out(found: &Found) -> FoundViolations {
    FoundViolations {
        revision: found.revision,
        namespace: found.namespace.to_string(),
        service: found.service.to_string(),
        received_at_ms: found.received_at.0,
    }
}
