//! What is out of the ordinary, found in apply and so once: counts in soft tables, and an event for each that is found.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::apply::Events;
use super::namespaces::NamespaceId;
use super::recent::{Recent, Subject};
use super::{State, digest, hash};
use crate::domain::anomaly::{Anomaly, AnomalyKind, AnomalySettings, ConfigureAnomalies};
use crate::domain::command::{Command, Signal};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::ids::{EventId, Millis, RequestId, Revision};
use crate::domain::names::{Namespace, Principal, ServiceName};
use crate::domain::outcome::Reply;
use crate::domain::token::SubjectToken;
use crate::limits;

/// Where the numbers begin from which ids of anomalies are derived: far from an import's rows, and from the ends of overrides.
const ORDINALS: u64 = 1 << 63;

/// The tables. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Anomalies {
    pub(super) turns: Recent<Subject>,
    pub(super) changes: Recent<Subject>,
    pub(super) callers: Recent<Principal>,
    pub(super) repeats: Recent<[u8; 16]>,
    pub(super) imports: Arc<ImportSizes>,
    /// Where the newest events of anomalies are, the newest last.
    pub(super) found: Arc<VecDeque<FoundAnomaly>>,
    /// How many there ever were, in the order of [`AnomalyKind::ALL`].
    pub(super) totals: [u64; 5],
}

/// How long imports are.
#[derive(Debug, Clone, Default)]
pub(super) struct ImportSizes {
    /// Those that go on.
    pub(super) running: BTreeMap<RequestId, ImportSize>,
    /// The last that is over, of each caller in each namespace.
    pub(super) last: BTreeMap<(NamespaceId, Principal), (RequestId, ImportSize)>,
}

/// How long an import is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportSize {
    pub(super) namespace: NamespaceId,
    pub(super) principal: Principal,
    pub(super) rows: u64,
    /// The rows of the one before.
    pub(super) before: Option<u64>,
    /// When the last rows came.
    pub(super) at: Millis,
    pub(super) told: bool,
}

/// Where an event of an anomaly is, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAnomaly {
    /// Its revision.
    pub revision: Revision,
    /// The tenant; none for the whole cluster.
    pub namespace: Option<Namespace>,
    /// How.
    pub kind: AnomalyKind,
    /// When it was found.
    pub received_at: Millis,
}

impl Anomalies {
    /// How much is kept in the tables: a snapshot that brings less is not whole.
    pub(super) fn watched(&self) -> u64 {
        let counted =
            self.turns.len() + self.changes.len() + self.callers.len() + self.repeats.len();
        let imports = self.imports.running.len() + self.imports.last.len();
        (counted + imports + self.found.len()) as u64
    }
}

/// Whom something out of the ordinary is about, and what brought it to light.
pub(super) struct About<'a> {
    pub(super) cause: EventId,
    pub(super) namespace: Option<&'a Namespace>,
    pub(super) principal: &'a Principal,
}

impl State {
    /// What counts as out of the ordinary.
    pub fn anomaly_settings(&self) -> AnomalySettings {
        self.anomaly_settings.unwrap_or_default()
    }

    /// Where the events of anomalies are, the newest first, as far as they are kept at hand.
    pub fn anomalies(&self) -> impl Iterator<Item = &FoundAnomaly> {
        self.anomalies.found.iter().rev()
    }

    /// How many anomalies of each kind there ever were, in the order of [`AnomalyKind::ALL`].
    pub fn anomaly_counts(&self) -> [u64; 5] {
        self.anomalies.totals
    }

    pub(super) fn configure_anomalies(
        &mut self,
        command: &Command,
        configure: &ConfigureAnomalies,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::configure_anomalies(&command.principal, configure);
        self.once(configure.request_id, digest, |state| {
            let event_id = if state.anomaly_settings() == configure.settings {
                None
            } else {
                let detail = Detail::AnomalySettings(configure.settings);
                let event = state.event(command, EventKind::AnomalySettings, detail);
                Some(state.record(event, events)?)
            };
            Ok(state.registered(event_id, None))
        })
    }

    pub(super) fn fold_anomaly_settings(&mut self, settings: AnomalySettings) {
        if let Some(before) = self.anomaly_settings.replace(settings) {
            self.sum.sub(hash::anomaly_settings(&before));
        }
        self.sum.add(hash::anomaly_settings(&settings));
    }

    pub(super) fn fold_anomaly(&mut self, event: &Event, anomaly: &Anomaly) {
        let found = Arc::make_mut(&mut self.anomalies.found);
        found.push_back(FoundAnomaly {
            revision: event.revision,
            namespace: event.namespace.clone(),
            kind: anomaly.kind,
            received_at: event.received_at,
        });
        while found.len() > limits::ANOMALIES_LISTED {
            found.pop_front();
        }
        if let Some(total) = self.anomalies.totals.get_mut(anomaly.kind.place()) {
            *total = total.saturating_add(1);
        }
    }

    /// Counts a change of a subject: each of its tokens, with whether it turned from out to in or back.
    pub(super) fn count_change(
        &mut self,
        about: &About<'_>,
        namespace: NamespaceId,
        tokens: &[(SubjectToken, bool)],
        events: &mut Events,
    ) {
        let (now, settings) = (self.second(), self.anomaly_settings());
        let window_s = settings.subject_window_s;
        let mut flapping = None;
        let mut many = None;
        for (subject, turned) in tokens {
            let key = (namespace, subject.token);
            let tables = &mut self.anomalies;
            let enough = (settings.subject_turns, settings.subject_changes);
            let turns = tables
                .turns
                .count_if(*turned, &key, now, window_s, enough.0);
            flapping = flapping.or(turns.map(|count| (subject, count)));
            let changes = tables.changes.count(&key, now, window_s, enough.1);
            many = many.or(changes.map(|count| (subject, count)));
        }
        let kinds = [
            (AnomalyKind::Flapping, flapping, settings.subject_turns),
            (AnomalyKind::ManyChanges, many, settings.subject_changes),
        ];
        for (kind, found, expected) in kinds {
            if let Some((subject, count)) = found {
                let anomaly = Anomaly {
                    kind,
                    subject: Some(subject.clone()),
                    count,
                    expected: u64::from(expected),
                    window_s,
                };
                self.tell(about, anomaly, events);
            }
        }
        let (window_s, expected) = (settings.caller_window_s, settings.caller_changes);
        let callers = &mut self.anomalies.callers;
        if let Some(count) = callers.count(about.principal, now, window_s, expected) {
            let anomaly = Anomaly {
                kind: AnomalyKind::Burst,
                subject: None,
                count,
                expected: u64::from(expected),
                window_s,
            };
            // A caller is of no namespace.
            let about = About {
                namespace: None,
                ..*about
            };
            self.tell(&about, anomaly, events);
        }
    }

    /// Counts a request that changed nothing, by what it asks for.
    pub(super) fn count_repeat(
        &mut self,
        about: &About<'_>,
        subject: Option<&SubjectToken>,
        digest: &[u8; 16],
        events: &mut Events,
    ) {
        let (now, settings) = (self.second(), self.anomaly_settings());
        let (window_s, expected) = (settings.repeat_window_s, settings.repeats);
        let repeats = &mut self.anomalies.repeats;
        if let Some(count) = repeats.count(digest, now, window_s, expected) {
            let anomaly = Anomaly {
                kind: AnomalyKind::Repeated,
                subject: subject.cloned(),
                count,
                expected: u64::from(expected),
                window_s,
            };
            self.tell(about, anomaly, events);
        }
    }

    /// Takes in how long an import is by now.
    pub(super) fn measure_import(
        &mut self,
        about: &About<'_>,
        id: RequestId,
        namespace: NamespaceId,
        rows: u64,
        events: &mut Events,
    ) {
        let at = self.log_time;
        let sizes = Arc::make_mut(&mut self.anomalies.imports);
        let key = (namespace, about.principal.clone());
        let before = sizes.last.get(&key).and_then(|(last, size)| {
            // One that goes on after all is compared with what it was compared with before.
            if *last == id {
                size.before
            } else {
                Some(size.rows)
            }
        });
        let size = sizes.running.entry(id).or_insert_with(|| ImportSize {
            namespace,
            principal: about.principal.clone(),
            rows,
            before,
            at,
            told: false,
        });
        (size.rows, size.at) = (size.rows.max(rows), at);
        let (rows, before, told) = (size.rows, size.before, size.told);
        if let Some(before) = before
            && !told
            && self.differ_hugely(rows, before)
        {
            let sizes = Arc::make_mut(&mut self.anomalies.imports);
            if let Some(size) = sizes.running.get_mut(&id) {
                size.told = true;
            }
            self.tell(about, of_import(rows, before), events);
        }
        if self.anomalies.imports.running.len() > limits::IMPORTS_MEASURED {
            let first = self.anomalies.imports.running.keys().next().copied();
            if let Some(first) = first {
                self.end_import(about.cause, first, events);
            }
        }
    }

    /// Has imports be over for which no rows have come for long.
    pub(super) fn end_imports(&mut self, cause: EventId, events: &mut Events) {
        let now = self.log_time.0;
        let over = |size: &ImportSize| size.at.0.saturating_add(limits::IMPORT_OVER_MS) <= now;
        let running = self.anomalies.imports.running.iter();
        let ended: Vec<RequestId> = running
            .filter(|(_, size)| over(size))
            .map(|(id, _)| *id)
            .collect();
        for id in ended {
            self.end_import(cause, id, events);
        }
    }

    fn end_import(&mut self, cause: EventId, id: RequestId, events: &mut Events) {
        let sizes = Arc::make_mut(&mut self.anomalies.imports);
        let Some(size) = sizes.running.remove(&id) else {
            return;
        };
        let key = (size.namespace, size.principal.clone());
        sizes.last.insert(key, (id, size.clone()));
        while sizes.last.len() > limits::IMPORTERS_MEASURED {
            sizes.last.pop_first();
        }
        if let Some(before) = size.before
            && !size.told
            && self.differ_hugely(before, size.rows)
        {
            let namespace = self.namespaces.name(size.namespace).cloned();
            let about = About {
                cause,
                namespace: namespace.as_ref(),
                principal: &size.principal,
            };
            self.tell(&about, of_import(size.rows, before), events);
        }
    }

    fn differ_hugely(&self, more: u64, fewer: u64) -> bool {
        let settings = self.anomaly_settings();
        let factor = u64::from(settings.import_factor);
        factor > 0
            && more >= u64::from(settings.import_rows)
            && more >= fewer.saturating_mul(factor)
    }

    /// Makes the event of something out of the ordinary.
    fn tell(&mut self, about: &About<'_>, anomaly: Anomaly, events: &mut Events) {
        let event = Event {
            // No two events of a command have as many before them.
            id: about.cause.derive(ORDINALS | events.len() as u64),
            revision: self.revision + 1,
            kind: EventKind::Anomaly,
            namespace: about.namespace.cloned(),
            tokens: Vec::new(),
            purposes: Vec::new(),
            signal: Signal::Operator,
            principal: about.principal.clone(),
            received_at: self.log_time,
            evidence_sha256: None,
            detail: Detail::Anomaly(Box::new(anomaly)),
            change_id: None,
            proposed_by: None,
            service: ServiceName::none(),
        };
        // It fits: it is the next revision, and changes nothing that could be wrong.
        if self.fold(&event).is_ok() {
            events.push((event, None));
        }
    }

    fn second(&self) -> u64 {
        self.log_time.0 / 1_000
    }
}

impl Recent<Subject> {
    fn count_if(
        &mut self,
        counts: bool,
        key: &Subject,
        now: u64,
        window: u32,
        enough: u32,
    ) -> Option<u64> {
        counts
            .then(|| self.count(key, now, window, enough))
            .flatten()
    }
}

fn of_import(rows: u64, before: u64) -> Anomaly {
    Anomaly {
        kind: AnomalyKind::ImportSize,
        subject: None,
        count: rows,
        expected: before,
        window_s: 0,
    }
}
