//! What the model finds out of the ordinary: it keeps every time, and counts anew each time.

use super::{Model, Past};
use crate::domain::*;

/// What the model remembers for it.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) settings: AnomalySettings,
    /// Each time that something was counted: for which kind, of whom, in which second.
    seen: Vec<(AnomalyKind, String, u64)>,
    /// Until which second nothing is counted.
    quiet: Vec<(AnomalyKind, String, u64)>,
    running: Vec<Measured>,
    /// The last import that ended, by namespace and principal, with what it was compared with.
    last: Vec<Measured>,
}

#[derive(Clone)]
struct Measured {
    id: RequestId,
    whose: String,
    rows: u64,
    before: Option<u64>,
    at: u64,
    told: bool,
}

impl Model {
    /// Whether one more is enough.
    fn enough(&mut self, kind: AnomalyKind, whose: &str, window: u32, enough: u32) -> bool {
        let (now, window) = (self.log_time / 1_000, u64::from(window));
        let this = |of: &(AnomalyKind, String, u64)| of.0 == kind && of.1 == whose;
        let quiet = |of: &(AnomalyKind, String, u64)| this(of) && now < of.2;
        if enough == 0 || self.watch.quiet.iter().any(quiet) {
            return false;
        }
        self.watch.seen.push((kind, whose.to_owned(), now));
        let mut seen = self.watch.seen.iter().filter(|it| this(it));
        let lately = seen.by_ref().filter(|it| it.2 + window > now).count();
        let found = lately >= enough as usize;
        if found {
            self.watch.seen.retain(|it| !this(it));
            self.watch
                .quiet
                .push((kind, whose.to_owned(), now + window));
            self.revision += 1;
        }
        found
    }

    pub(super) fn configure_anomalies(
        &mut self,
        command: &Command,
        settings: AnomalySettings,
    ) -> Outcome {
        let changed = self.watch.settings != settings;
        if changed {
            self.watch.settings = settings;
            self.revision += 1;
        }
        self.registered(changed.then_some(command.event_id), None)
    }

    /// Which subjects said the opposite before, at one of the same purposes.
    pub(super) fn turned(
        &self,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        opt_out: &[PurposeName],
        opt_in: &[PurposeName],
    ) -> Vec<(Token, bool)> {
        let opposite = |token: Token, purpose: &PurposeName, change: Change| {
            let here = |c: &&Past| !c.signalled && c.purpose == purpose.as_str();
            let last = self.of(namespace, token).rfind(here);
            last.is_some_and(|last| last.change == change)
        };
        let each = tokens.iter().map(|it| {
            let token = it.token;
            let out = opt_out.iter().any(|p| opposite(token, p, Change::OptIn));
            let back = opt_in.iter().any(|p| opposite(token, p, Change::OptOut));
            (token, out || back)
        });
        each.collect()
    }

    pub(super) fn count_change(
        &mut self,
        principal: &Principal,
        namespace: &Namespace,
        tokens: &[(Token, bool)],
    ) {
        let settings = self.watch.settings;
        let window = settings.subject_window_s;
        let whose = |token: &Token| format!("{namespace} {token}");
        let mut many = 0;
        let mut flapping = 0;
        for (token, turned) in tokens {
            let (whose, revision) = (whose(token), self.revision);
            if *turned
                && self.enough(
                    AnomalyKind::Flapping,
                    &whose,
                    window,
                    settings.subject_turns,
                )
            {
                flapping = 1;
            }
            if self.enough(
                AnomalyKind::ManyChanges,
                &whose,
                window,
                settings.subject_changes,
            ) {
                many = 1;
            }
            // All tokens of a change are one subject: what is found of several is told once.
            self.revision = revision;
        }
        self.revision += flapping + many;
        let (window, enough) = (settings.caller_window_s, settings.caller_changes);
        self.enough(AnomalyKind::Burst, principal.as_str(), window, enough);
    }

    pub(super) fn count_repeat(&mut self, (principal, mut body): (Principal, Body)) {
        let nobody = fixtures::request_id(0, 0);
        match &mut body {
            Body::SetPreference(set) => set.request_id = nobody,
            Body::ReportSignal(report) => report.request_id = nobody,
            _ => {}
        }
        let asked = format!("{principal} {body:?}");
        let (window, enough) = (
            self.watch.settings.repeat_window_s,
            self.watch.settings.repeats,
        );
        self.enough(AnomalyKind::Repeated, &asked, window, enough);
    }

    fn differ(&self, more: u64, fewer: u64) -> bool {
        let AnomalySettings {
            import_factor,
            import_rows,
            ..
        } = self.watch.settings;
        import_factor > 0
            && more >= u64::from(import_rows)
            && more >= fewer * u64::from(import_factor)
    }

    pub(super) fn measure_import(&mut self, command: &Command, chunk: &ImportChunk, rows: u64) {
        let whose = format!("{} {}", chunk.namespace, command.principal);
        let mut known = self.watch.running.iter();
        let known = known.rfind(|it| it.id == chunk.import_id).cloned();
        let mut size = known.unwrap_or_else(|| {
            let last = self.watch.last.iter().rfind(|it| it.whose == whose);
            Measured {
                id: chunk.import_id,
                whose,
                rows,
                before: last.and_then(|it| {
                    if it.id == chunk.import_id {
                        it.before
                    } else {
                        Some(it.rows)
                    }
                }),
                at: 0,
                told: false,
            }
        });
        size.rows = size.rows.max(rows);
        size.at = self.log_time;
        if !size.told
            && size
                .before
                .is_some_and(|before| self.differ(size.rows, before))
        {
            size.told = true;
            self.revision += 1;
        }
        self.watch.running.retain(|it| it.id != chunk.import_id);
        self.watch.running.push(size);
    }

    /// Ten minutes after its last rows an import is over.
    pub(super) fn end_imports(&mut self) {
        let mut over: Vec<Measured> = self.watch.running.clone();
        over.retain(|it| it.at + 600_000 <= self.log_time);
        over.sort_by_key(|it| it.id);
        for size in over {
            self.watch.running.retain(|it| it.id != size.id);
            if !size.told
                && size
                    .before
                    .is_some_and(|before| self.differ(before, size.rows))
            {
                self.revision += 1;
            }
            self.watch.last.push(size);
        }
    }
}
