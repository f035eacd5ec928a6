//! Random scripts of commands over a small world, so that collisions, repeats, retries and refusals are common.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::fixtures::*;
use crate::domain::*;

/// The purposes that scripts speak of: some ship, some may be registered on the way, one never is.
pub(super) const PURPOSES: [&str; 13] = [
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
    "ai_training.images",
];

/// The namespaces: one ships, one may be added, one never is.
pub(super) const NAMESPACES: [&str; 3] = ["default", "other", "nowhere"];

/// How many subjects there are.
pub(super) const SUBJECTS: u8 = 3;

/// How many requests, and imports, are remembered while scripts run.
pub(super) const REMEMBERED: usize = 12;
pub(super) const IMPORTS: usize = 2;

/// Who proposes and approves.
pub(super) const PRINCIPALS: [&str; 3] = ["ann", "bob", "eve"];

/// What is proposed.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Override {
        purposes: Vec<usize>,
        subject: Option<u8>,
        service: &'static str,
        minutes: u64,
    },
    Purpose {
        purpose: usize,
        essential: bool,
    },
    Floor {
        purpose: Option<usize>,
        version: u32,
    },
    Settings {
        purposes: Vec<usize>,
    },
}

/// One step of a script.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A preference under a fresh id.
    Set {
        namespace: usize,
        tokens: Vec<u8>,
        purposes: Vec<usize>,
        change: Change,
        /// Purposes that are opted in to beside opt-outs.
        beside: Vec<usize>,
        signal: Signal,
        schema_version: u32,
        ahead: u64,
        evidence: bool,
        /// How far the subject's last revision is missed by, if it is named.
        if_last: Option<u64>,
    },
    /// Global Privacy Control under a fresh id.
    Gpc { tokens: Vec<u8> },
    /// What it means, under a fresh id.
    Configure { purposes: Vec<usize> },
    /// A schema floor under a fresh id: of the cluster, or of a purpose.
    Floor {
        purpose: Option<usize>,
        version: u32,
    },
    /// A change that needs two principals, by one of three, through a node that is set to a maximum.
    Propose {
        who: usize,
        change: Wanted,
        max_minutes: u32,
    },
    /// An approval of one of the last proposals, by one of three, through a node that is set to a maximum, or does not tell.
    Approve {
        who: usize,
        back: usize,
        kind: ChangeKind,
        max_minutes: Option<u32>,
    },
    /// A withdrawal of one of the last proposals, by one of three.
    Withdraw {
        who: usize,
        back: usize,
        kind: ChangeKind,
    },
    /// A node reports what it has counted.
    Report {
        node: u64,
        number: u64,
        lifted: usize,
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
    /// What counts as out of the ordinary, under a fresh id.
    Thresholds { enough: u32 },
    /// A subject's evidence is erased, under a fresh id.
    Erase { tokens: Vec<u8>, namespace: usize },
    /// What became of one of three nodes.
    Member { node: u64, became: Became },
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
    let beside = prop_oneof![5 => Just(Vec::new()), 2 => vec(0..6_usize, 1..3)];
    let if_last = prop_oneof![8 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(1))];
    let set = (
        prop_oneof![6 => Just(0_usize), 2 => Just(1), 1 => Just(2)],
        prop_oneof![5 => vec(0..SUBJECTS, 1..3), 1 => tokens()],
        prop_oneof![6 => vec(0..4_usize, 1..2), 3 => vec(0..6_usize, 1..3), 2 => vec(0..PURPOSES.len(), 1..2), 1 => purposes()],
        (changes, beside, if_last),
        signals,
        0..4_u32,
        prop_oneof![8 => Just(0_u64), 1 => Just(1), 1 => Just(1_000)],
        prop::bool::weighted(0.95),
    )
        .prop_map(
            |(namespace, tokens, purposes, change, signal, schema_version, ahead, evidence)| {
                let (change, beside, if_last) = change;
                Step::Set {
                    namespace,
                    tokens,
                    purposes,
                    change,
                    beside,
                    signal,
                    schema_version: schema_version / 2,
                    ahead,
                    evidence,
                    if_last,
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
        8 => governance(),
        3 => vec(0..SUBJECTS, 1..3).prop_map(|tokens| Step::Gpc { tokens }),
        12 => set,
        3 => import,
        3 => put,
        1 => (0..NAMESPACES.len() - 1).prop_map(|namespace| Step::Add { namespace }),
        2 => select(vec![2, 2, 3, 0, 1]).prop_map(|enough| Step::Thresholds { enough }),
        3 => (vec(0..SUBJECTS, 0..3), 0..NAMESPACES.len())
            .prop_map(|(tokens, namespace)| Step::Erase { tokens, namespace }),
        6 => (1..6_usize).prop_map(|back| Step::Echo { back }),
        3 => (1..20_usize).prop_map(|back| Step::Again { back }),
        1 => (1..20_usize).prop_map(|back| Step::Reuse { back }),
        1 => (-40_000..20_000_i64).prop_map(|by| Step::Skewed { by }),
        2 => select(vec![1, 1_000, 60_000, 200_000, day - 1, day, 3 * day, -5_000]).prop_map(|by| Step::Clock { by }),
    ]
}

/// What needs two principals, and what belongs to it.
fn governance() -> impl Strategy<Value = Step> {
    let kinds = || {
        select(vec![
            ChangeKind::Override,
            ChangeKind::Override,
            ChangeKind::Registry,
        ])
    };
    let some_purpose = || prop::option::of(1..PURPOSES.len());
    let wanted = prop_oneof![
        3 => (
            vec(0..6_usize, 1..3),
            prop::option::of(0..SUBJECTS),
            select(vec!["shop", "shop", "other"]),
            select(vec![0_u64, 1, 3, 59, 61]),
        )
            .prop_map(|(purposes, subject, service, minutes)| Wanted::Override {
                purposes,
                subject,
                service,
                minutes,
            }),
        1 => (1..PURPOSES.len(), any::<bool>())
            .prop_map(|(purpose, essential)| Wanted::Purpose { purpose, essential }),
        1 => (some_purpose(), 0..3_u32)
            .prop_map(|(purpose, version)| Wanted::Floor { purpose, version }),
        1 => vec(0..6_usize, 1..3).prop_map(|purposes| Wanted::Settings { purposes }),
    ];
    prop_oneof![
        4 => (0..3_usize, wanted, select(vec![60, 60, 2, 30 * 24 * 60 + 1]))
            .prop_map(|(who, change, max_minutes)| Step::Propose { who, change, max_minutes }),
        6 => (0..3_usize, 0..3_usize, kinds(), select(vec![None, Some(60), Some(2)]))
            .prop_map(|(who, back, kind, max_minutes)| Step::Approve { who, back, kind, max_minutes }),
        1 => (0..3_usize, 0..3_usize, kinds())
            .prop_map(|(who, back, kind)| Step::Withdraw { who, back, kind }),
        1 => vec(0..6_usize, 1..3).prop_map(|purposes| Step::Configure { purposes }),
        1 => (some_purpose(), 0..4_u32)
            .prop_map(|(purpose, version)| Step::Floor { purpose, version }),
        1 => (0..2_u64, 0..4_u64, 0..2_usize)
            .prop_map(|(node, number, lifted)| Step::Report { node, number, lifted }),
        1 => (0..3_u64, select(vec![Became::Learner, Became::Voter, Became::Removed { forced: false }]))
            .prop_map(|(node, became)| Step::Member { node, became }),
    ]
}
