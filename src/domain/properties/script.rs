//! Random scripts of commands over a small world, so that collisions, repeats, retries and refusals are common.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::fixtures::*;
use crate::domain::*;

/// The purposes that scripts speak of: some ship, some may be registered on the way, one never is.
pub(super) const PURPOSES: [&str; 12] = [
    "*",
    "marketing",
    "marketing.email",
    "marketing.sms",
    "sale",
    "ai_training",
    "service",
    "service.legal",
    "games",
    "games.chess",
    "games.chess.blitz",
    "service.chat",
];

/// The namespaces: one ships, one may be added, one never is.
pub(super) const NAMESPACES: [&str; 3] = ["default", "other", "nowhere"];

/// How many subjects there are.
pub(super) const SUBJECTS: u8 = 3;

/// How many requests, and imports, are remembered while scripts run.
pub(super) const REMEMBERED: usize = 12;
pub(super) const IMPORTS: usize = 2;

/// One step of a script.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A preference under a fresh id.
    Set {
        namespace: usize,
        tokens: Vec<u8>,
        purposes: Vec<usize>,
        change: Change,
        signal: Signal,
        schema_version: u32,
        ahead: u64,
        evidence: bool,
    },
    /// Rows of one of three imports, from a place near where it goes on.
    Import {
        import: u64,
        back: u64,
        rows: Vec<Option<(Vec<u8>, Vec<usize>)>>,
    },
    /// A purpose under a fresh id.
    Put {
        purpose: usize,
        default_deny: bool,
        essential: bool,
        reworded: bool,
    },
    /// A namespace under a fresh id.
    Add { namespace: usize },
    /// What was wished for so many steps ago, under a fresh id.
    Echo { back: usize },
    /// The same body as so many steps ago.
    Again { back: usize },
    /// The same id as so many steps ago for something else.
    Reuse { back: usize },
    /// An id of so many milliseconds ago, or ahead.
    Skewed { by: i64 },
    /// The leader's clock moves, perhaps back.
    Clock { by: i64 },
}

pub(super) fn scripts() -> impl Strategy<Value = Vec<Step>> {
    vec(steps(), 1..60)
}

fn steps() -> impl Strategy<Value = Step> {
    let tokens = || vec(0..SUBJECTS, 0..4);
    let purposes = || vec(0..PURPOSES.len(), 0..4);
    let changes = select(vec![Change::OptOut, Change::OptOut, Change::OptIn]);
    let signals = select(vec![
        Signal::User,
        Signal::User,
        Signal::User,
        Signal::Operator,
        Signal::Gpc,
        Signal::Import,
    ]);
    let set = (
        prop_oneof![6 => Just(0_usize), 2 => Just(1), 1 => Just(2)],
        prop_oneof![5 => vec(0..SUBJECTS, 1..3), 1 => tokens()],
        prop_oneof![6 => vec(0..4_usize, 1..2), 3 => vec(0..6_usize, 1..3), 2 => vec(0..PURPOSES.len(), 1..2), 1 => purposes()],
        changes,
        signals,
        0..4_u32,
        prop_oneof![8 => Just(0_u64), 1 => Just(1), 1 => Just(1_000)],
        prop::bool::weighted(0.95),
    )
        .prop_map(
            |(namespace, tokens, purposes, change, signal, schema_version, ahead, evidence)| {
                Step::Set {
                    namespace,
                    tokens,
                    purposes,
                    change,
                    signal,
                    schema_version: schema_version / 2,
                    ahead,
                    evidence,
                }
            },
        );
    let row = prop::option::weighted(0.9, (vec(0..SUBJECTS, 0..3), vec(0..PURPOSES.len(), 1..3)));
    let import = (0..3_u64, 0..4_u64, vec(row, 0..6))
        .prop_map(|(import, back, rows)| Step::Import { import, back, rows });
    let put = (
        1..PURPOSES.len(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(purpose, default_deny, essential, reworded)| Step::Put {
            purpose,
            default_deny,
            essential,
            reworded,
        });
    let day = i64::try_from(DAY).unwrap();
    prop_oneof![
        12 => set,
        3 => import,
        3 => put,
        1 => (0..NAMESPACES.len() - 1).prop_map(|namespace| Step::Add { namespace }),
        6 => (1..6_usize).prop_map(|back| Step::Echo { back }),
        3 => (1..20_usize).prop_map(|back| Step::Again { back }),
        1 => (1..20_usize).prop_map(|back| Step::Reuse { back }),
        1 => (-400_000..400_000_i64).prop_map(|by| Step::Skewed { by }),
        2 => select(vec![1, 1_000, day - 1, day, 3 * day, -5_000]).prop_map(|by| Step::Clock { by }),
    ]
}

/// Turns the steps of a script into commands, one by one.
pub(super) struct Player {
    pub(super) driven: Driven,
    bodies: Vec<Body>,
}

impl Player {
    /// A created cluster with small tables.
    pub(super) fn new() -> Self {
        let mut driven = Driven::new();
        driven.state.shrink_tables(REMEMBERED, IMPORTS);
        Self {
            driven,
            bodies: Vec::new(),
        }
    }

    /// The command of a step; none where it only moves the clock, or has nothing to look back at.
    pub(super) fn command(&mut self, step: &Step) -> Option<Command> {
        let body = self.body(step)?;
        self.bodies.push(body.clone());
        // So that ids grow, and the table's order is not only that of their last bits.
        self.driven.now += 1;
        Some(self.driven.command(body))
    }

    fn body(&mut self, step: &Step) -> Option<Body> {
        Some(match step {
            Step::Set {
                namespace,
                tokens,
                purposes,
                change,
                signal,
                schema_version,
                ahead,
                evidence,
            } => {
                let purposes: Vec<_> = purposes.iter().map(|at| PURPOSES[*at]).collect();
                let mut set = self.driven.preference(*change, tokens, &purposes);
                set.namespace = Namespace::parse(NAMESPACES[*namespace]).unwrap();
                set.signal = *signal;
                set.schema_version = *schema_version;
                set.min_revision = ahead * (self.driven.state.revision() + ahead);
                if !evidence {
                    set.evidence = None;
                }
                Body::SetPreference(set)
            }
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
