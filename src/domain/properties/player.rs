//! Plays a script: turns its steps into commands, one by one.

use super::script::{IMPORTS, NAMESPACES, PRINCIPALS, PURPOSES, REMEMBERED, Step, Wanted};
use crate::domain::fixtures::*;
use crate::domain::*;

/// Turns the steps of a script into commands, one by one.
pub(super) struct Player {
    pub(super) driven: Driven,
    bodies: Vec<Body>,
}

impl Player {
    /// A created cluster with small tables.
    pub(super) fn new() -> Self {
        let mut driven = Driven::new();
        driven.state.size_tables(REMEMBERED, IMPORTS);
        Self {
            driven,
            bodies: Vec::new(),
        }
    }

    /// The command of a step; none where it only moves the clock, or has nothing to look back at.
    pub(super) fn command(&mut self, step: &Step) -> Option<Command> {
        let body = self.body(step)?;
        self.bodies.push(body.clone());
        // So that ids grow, and a full table most often holds some that it may forget.
        self.driven.now += 1_500;
        let mut command = self.driven.command(body);
        if let Step::Propose { who, .. } | Step::Approve { who, .. } | Step::Withdraw { who, .. } =
            step
        {
            command.principal = Principal::parse(PRINCIPALS[*who]).unwrap();
        }
        Some(command)
    }

    /// One of the last changes that were proposed.
    fn proposed(&self, back: usize) -> Option<EventId> {
        let events = self.driven.events.iter().rev();
        let mut proposed = events.filter(|event| event.kind == EventKind::ChangeProposed);
        proposed.nth(back).map(|event| event.id)
    }

    fn wanted(&self, wanted: &Wanted) -> ProposedChange {
        let floor = |purpose: &Option<usize>, version| SchemaFloor {
            purpose: purpose.map(|at| name(PURPOSES[at])),
            version,
        };
        match wanted {
            Wanted::Override {
                purposes,
                subject: of,
                service: asks,
                minutes,
            } => ProposedChange::Override(OverrideTerms {
                purposes: purposes.iter().map(|at| name(PURPOSES[*at])).collect(),
                services: vec![service(asks)],
                subject: of.map(subject),
                ..terms(self.driven.now + 1, *minutes, &[])
            }),
            Wanted::Purpose {
                purpose: at,
                essential,
            } => ProposedChange::Purpose(Purpose {
                essential: *essential,
                ..purpose(PURPOSES[*at])
            }),
            Wanted::Settings { purposes } => ProposedChange::Settings(NamespaceSettings {
                namespace: Namespace::default_namespace(),
                gpc_purposes: purposes.iter().map(|at| name(PURPOSES[*at])).collect(),
            }),
            Wanted::Floor { purpose, version } => {
                ProposedChange::SchemaFloor(floor(purpose, *version))
            }
        }
    }

    fn body(&mut self, step: &Step) -> Option<Body> {
        Some(match step {
            Step::Set {
                namespace,
                tokens,
                purposes,
                change,
                beside,
                signal,
                schema_version,
                ahead,
                evidence,
                if_last,
            } => {
                let purposes: Vec<_> = purposes.iter().map(|at| PURPOSES[*at]).collect();
                let mut set = self.driven.preference(*change, tokens, &purposes);
                if *change == Change::OptOut && !beside.is_empty() {
                    set.opt_in = beside.iter().map(|at| name(PURPOSES[*at])).collect();
                    set.evidence = Some(fixtures::evidence("ticked the box"));
                }
                set.namespace = Namespace::parse(NAMESPACES[*namespace]).unwrap();
                set.signal = *signal;
                set.schema_version = *schema_version;
                set.min_revision = ahead * (self.driven.state.revision() + ahead);
                if !evidence {
                    set.evidence = None;
                }
                let state = &self.driven.state;
                let last = state.last_revision_of(&set.namespace, &set.tokens);
                set.if_last_revision = if_last.map(|missed| last + missed);
                Body::SetPreference(set)
            }
            Step::Gpc { tokens } => Body::ReportSignal(ReportSignal {
                request_id: self.driven.next_request_id(),
                namespace: Namespace::default_namespace(),
                tokens: subjects(tokens),
                signal: Signal::Gpc,
                schema_version: 0,
                service: ServiceName::none(),
            }),
            Step::Configure { purposes } => Body::ConfigureNamespace(ConfigureNamespace {
                request_id: self.driven.next_request_id(),
                namespace: Namespace::default_namespace(),
                gpc_purposes: purposes.iter().map(|at| name(PURPOSES[*at])).collect(),
            }),
            Step::Floor { purpose, version } => Body::SetSchemaFloor(SetSchemaFloor {
                request_id: self.driven.next_request_id(),
                floor: SchemaFloor {
                    purpose: purpose.map(|at| name(PURPOSES[at])),
                    version: *version,
                },
            }),
            Step::Propose {
                who,
                change,
                max_minutes,
            } => Body::Propose(Propose {
                request_id: self.driven.next_request_id(),
                change: self.wanted(change),
                max_minutes: *max_minutes,
                credential: credential(*who),
            }),
            Step::Approve {
                who,
                back,
                kind,
                max_minutes,
            } => Body::Approve(Approve {
                change_id: self.proposed(*back)?,
                request_id: self.driven.next_request_id(),
                kind: *kind,
                max_minutes: *max_minutes,
                credential: credential(*who),
            }),
            Step::Withdraw { back, kind, .. } => Body::Withdraw(Withdraw {
                change_id: self.proposed(*back)?,
                request_id: self.driven.next_request_id(),
                kind: *kind,
            }),
            Step::Report {
                node,
                number,
                lifted,
            } => Body::ReportUsage(ReportUsage {
                node_id: *node,
                start: 1,
                number: *number,
                services: Vec::new(),
                lifted: self
                    .proposed(*lifted)
                    .map(|override_id| Lifted {
                        override_id,
                        service: service("shop"),
                        count: 1,
                    })
                    .into_iter()
                    .collect(),
            }),
            Step::Import { import, back, rows } => {
                let import_id = request_id(START, *import);
                let namespace = Namespace::default_namespace();
                let next = self.driven.state.import_next_row(&namespace, &import_id);
                let rows = rows.iter().map(|row| match row {
                    None => ImportRow::Refused,
                    Some((tokens, purposes)) => ImportRow::OptOut {
                        tokens: subjects(tokens),
                        purposes: purposes.iter().map(|at| name(PURPOSES[*at])).collect(),
                    },
                });
                Body::ImportChunk(ImportChunk {
                    import_id,
                    namespace,
                    schema_version: 0,
                    first_row: (next + 1).saturating_sub(*back),
                    rows: rows.collect(),
                })
            }
            Step::Put {
                purpose: at,
                default_deny,
                essential,
                reworded,
            } => Body::PutPurpose(PutPurpose {
                request_id: self.driven.next_request_id(),
                purpose: Purpose {
                    default_deny: *default_deny,
                    essential: *essential,
                    description: if *reworded { "Reworded." } else { "" }.to_owned(),
                    ..purpose(PURPOSES[*at])
                },
            }),
            Step::Member { node, became } => Body::RecordMembership(membership(*node, *became)),
            Step::Thresholds { enough } => Body::ConfigureAnomalies(ConfigureAnomalies {
                request_id: self.driven.next_request_id(),
                settings: thresholds(*enough),
            }),
            Step::Erase { tokens, namespace } => Body::EraseEvidence(EraseEvidence {
                request_id: self.driven.next_request_id(),
                namespace: Namespace::parse(NAMESPACES[*namespace]).unwrap(),
                tokens: tokens.iter().map(|n| subject(*n)).collect(),
            }),
            Step::Add { namespace } => Body::AddNamespace(AddNamespace {
                request_id: self.driven.next_request_id(),
                namespace: Namespace::parse(NAMESPACES[*namespace]).unwrap(),
            }),
            Step::Echo { back } => match self.earlier(*back)? {
                Body::SetPreference(set) => Body::SetPreference(SetPreference {
                    request_id: self.driven.next_request_id(),
                    ..set
                }),
                _ => return None,
            },
            Step::Again { back } => self.earlier(*back)?,
            Step::Reuse { back } => {
                let request_id = match self.earlier(*back)? {
                    Body::SetPreference(set) => set.request_id,
                    Body::PutPurpose(put) => put.request_id,
                    Body::AddNamespace(add) => add.request_id,
                    Body::ReportSignal(report) => report.request_id,
                    Body::Propose(propose) => propose.request_id,
                    _ => return None,
                };
                let set = self.driven.preference(Change::OptOut, &[0], &["analytics"]);
                Body::SetPreference(SetPreference { request_id, ..set })
            }
            Step::Skewed { by } => {
                let mut set = self.driven.preference(Change::OptOut, &[1], &["sale"]);
                let at = self.driven.now.saturating_add_signed(*by);
                set.request_id = request_id(at, self.bodies.len() as u64);
                Body::SetPreference(set)
            }
            Step::Clock { by } => {
                self.driven.now = self.driven.now.saturating_add_signed(*by);
                return None;
            }
        })
    }

    fn earlier(&self, back: usize) -> Option<Body> {
        let at = self.bodies.len().checked_sub(back)?;
        self.bodies.get(at).cloned()
    }
}

/// What a principal proves itself by: the last two hold the same token, and the first one's node does not tell.
fn credential(who: usize) -> Option<Credential> {
    (who > 0).then_some(Credential([7; 16]))
}
