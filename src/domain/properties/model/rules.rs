//! Signals, floors, and what needs two principals, in the model.

use super::{Answer, Lifting, Model, Past, Waiting, covered};
use crate::domain::*;

impl Model {
    pub(super) fn floor(&self, at: &str) -> u32 {
        let floor = self.floors.iter().find(|(name, _)| name == at);
        floor.map_or(0, |(_, version)| *version)
    }

    fn floor_name(floor: &SchemaFloor) -> &str {
        floor.purpose.as_ref().map_or("*", PurposeName::as_str)
    }

    fn check_floor(&self, floor: &SchemaFloor) -> Result<(), &'static str> {
        if floor.version > self.schema_version {
            return Err("SCHEMA_UNKNOWN");
        }
        let name = Self::floor_name(floor);
        if name != "*" && self.purpose(name).is_none() {
            return Err("PURPOSE_UNKNOWN");
        }
        Ok(())
    }

    pub(super) fn set_floor(&mut self, floor: &SchemaFloor) -> Result<bool, &'static str> {
        self.check_floor(floor)?;
        let before = self.floor(Self::floor_name(floor));
        if floor.version < before {
            return Err("WIDENS_ALLOW");
        }
        if floor.version > before {
            self.put_floor(floor);
        }
        Ok(floor.version > before)
    }

    fn put_floor(&mut self, floor: &SchemaFloor) {
        let name = Self::floor_name(floor).to_owned();
        self.floors.retain(|(at, _)| *at != name);
        self.floors.push((name, floor.version));
        self.revision += 1;
    }

    /// Purposes that were named, and can be opted out of today.
    pub(super) fn signal_purposes(&self) -> Vec<PurposeName> {
        let named = self.signal_settings();
        let open = |name: &PurposeName| {
            name.is_root() || self.purpose(name.as_str()).is_some_and(|p| !p.essential)
        };
        named.into_iter().filter(open).collect()
    }

    fn signal_settings(&self) -> Vec<PurposeName> {
        let usual = ["sale", "sharing", "advertising.targeted"];
        let usual = || usual.iter().map(|text| PurposeName::parse(text).unwrap());
        self.gpc.clone().unwrap_or_else(|| usual().collect())
    }

    /// Whether some purpose that the signal opts out of would be covered no more.
    pub(super) fn check_settings(&self, gpc: &[PurposeName]) -> Result<bool, &'static str> {
        self.check_purposes(gpc)?;
        let covers = |old: &PurposeName| gpc.iter().any(|it| covered(old.as_str(), it.as_str()));
        Ok(!self.signal_settings().iter().all(covers))
    }

    pub(super) fn put_settings(&mut self, gpc: &[PurposeName]) {
        self.gpc = Some(gpc.to_vec());
        self.revision += 1;
    }

    /// The opt-in after a signal outweighs it, for as long as it is the person's last word there.
    fn outweighed(&self, namespace: &Namespace, token: Token, purpose: &str) -> bool {
        let past = || self.of(namespace, token);
        let Some(signal) = past().rfind(|c| c.signalled && c.purpose == purpose) else {
            return false;
        };
        let mut places = past().filter(|c| !c.signalled && covered(&c.purpose, purpose));
        places.any(|c| {
            let mut here = past().filter(|other| !other.signalled && other.purpose == c.purpose);
            let last = here
                .next_back()
                .is_some_and(|last| last.revision == c.revision);
            last && c.change == Change::OptIn && c.revision > signal.revision
        })
    }

    pub(super) fn signal(&mut self, command: &Command, report: &ReportSignal) -> Answer {
        let (event_id, namespace, tokens) =
            (command.event_id, &report.namespace, &report.tokens[..]);
        let purposes = self.signal_purposes();
        if purposes.is_empty() {
            return Err("SIGNAL_UNCONFIGURED");
        }
        let outcome = |past: &Past, changed| Outcome::Signal {
            event_id: past.event_id,
            revision: past.revision,
            changed,
            received_at: Millis(past.received_at),
            purposes: purposes.clone(),
        };
        let mut standing: Vec<&Past> = Vec::new();
        let mut news = Vec::new();
        for token in tokens.iter().map(|t| t.token) {
            for purpose in &purposes {
                let mut past = self.of(namespace, token);
                let last = past.rfind(|c| c.signalled && c.purpose == purpose.as_str());
                let outweighed = self.outweighed(namespace, token, purpose.as_str());
                let young = |c: &&Past| c.received_at + fixtures::DAY > self.log_time;
                standing.extend(last.filter(|c| outweighed || young(c)));
                if !outweighed {
                    news.push((token, purpose.to_string()));
                }
            }
        }
        if standing.len() == tokens.len() * purposes.len() {
            let newest = standing.into_iter().max_by_key(|c| c.revision).unwrap();
            return Ok(outcome(newest, false));
        }
        self.revision += 1;
        let mut concerned: Vec<(Token, bool)> = Vec::new();
        for (token, purpose) in news {
            if !concerned.contains(&(token, false)) {
                concerned.push((token, false));
            }
            self.changes.push(Past {
                revision: self.revision,
                namespace: namespace.clone(),
                token,
                purpose,
                change: Change::OptOut,
                signalled: true,
                event_id,
                received_at: self.log_time,
            });
        }
        let made = outcome(self.changes.last().unwrap(), true);
        self.count_change(&command.principal, namespace, &concerned);
        Ok(made)
    }

    /// The first override, in the order of ids, that lifts a token's opt-out for who asks. The later of the log's time and
    /// the reader's ends it; and none lifts anything where the reader's time is more than ten seconds behind the log's.
    pub(super) fn lifting(
        &self,
        asked: &Question<'_>,
        token: Token,
        purpose: &str,
    ) -> Option<EventId> {
        let fits = |it: &&Lifting| {
            it.revoked_at.is_none()
                && self.log_time.max(asked.at.0) < it.terms.expires_at.0
                && self.log_time <= asked.at.0 + 10_000
                && it.terms.namespace == *asked.namespace
                && it.terms.services.contains(asked.service)
                && it
                    .terms
                    .purposes
                    .iter()
                    .any(|p| covered(purpose, p.as_str()))
                && it.terms.subject.as_ref().is_none_or(|s| s.token == token)
        };
        self.overrides.iter().filter(fits).map(|it| it.id).min()
    }

    /// Each override that was over two and a half minutes ago makes its last event.
    pub(super) fn end_overrides(&mut self) {
        let before = self.overrides.len();
        let now = self.log_time;
        self.overrides.retain(|it| {
            let over = it.revoked_at.unwrap_or(u64::MAX).min(it.terms.expires_at.0);
            over + 150_000 > now
        });
        self.revision += (before - self.overrides.len()) as u64;
    }

    fn check_proposed(&self, change: &ProposedChange) -> Result<(), &'static str> {
        match change {
            ProposedChange::Override(terms) => {
                if !self.namespaces.contains(&terms.namespace) {
                    return Err("NAMESPACE_UNKNOWN");
                }
                self.check_purposes(&terms.purposes)
            }
            ProposedChange::Settings(settings) => {
                if self.check_settings(&settings.gpc_purposes)? {
                    Ok(())
                } else {
                    Err("CHANGE_WIDENS_NOTHING")
                }
            }
            ProposedChange::Purpose(put) => match self.plan(put)? {
                Some((_, true)) => Ok(()),
                _ => Err("CHANGE_WIDENS_NOTHING"),
            },
            ProposedChange::SchemaFloor(floor) => {
                self.check_floor(floor)?;
                if floor.version < self.floor(Self::floor_name(floor)) {
                    Ok(())
                } else {
                    Err("CHANGE_WIDENS_NOTHING")
                }
            }
        }
    }

    /// Not over by the log's time, and not too far from the leader's clock, nor from the log's time.
    fn check_expiry(
        &self,
        command: &Command,
        terms: &OverrideTerms,
        minutes: u32,
    ) -> Result<(), &'static str> {
        let ends = terms.expires_at.0;
        let reach = u64::from(minutes.min(30 * 24 * 60)) * 60_000;
        let near = |now: u64| ends <= now + reach;
        if ends > self.log_time && near(self.log_time) && near(command.received_at.0) {
            Ok(())
        } else {
            Err("OVERRIDE_EXPIRY_INVALID")
        }
    }

    pub(super) fn check_terms(change: &ProposedChange) -> Result<(), &'static str> {
        match change {
            ProposedChange::Override(terms) => {
                let purposes = &terms.purposes;
                if (0..purposes.len()).any(|a| (0..a).any(|b| purposes[a] == purposes[b])) {
                    Err("DUPLICATE_PURPOSE")
                } else if purposes.iter().any(PurposeName::is_root) {
                    Err("OVERRIDE_INVALID")
                } else {
                    Ok(())
                }
            }
            ProposedChange::Settings(settings) => Self::check_list(&settings.gpc_purposes),
            ProposedChange::Purpose(_) | ProposedChange::SchemaFloor(_) => Ok(()),
        }
    }

    pub(super) fn propose(&mut self, command: &Command, propose: &Propose) -> Answer {
        let change = &propose.change;
        self.check_proposed(change)?;
        if let ProposedChange::Override(terms) = change {
            self.check_expiry(command, terms, propose.max_minutes)?;
        }
        self.pending.push(Waiting {
            id: command.event_id,
            propose: propose.clone(),
            by: command.principal.clone(),
            since: self.log_time,
            stood: self.standing(change),
        });
        self.revision += 1;
        Ok(self.registered(Some(command.event_id), None))
    }

    /// What stands where a change is to be made, in words.
    fn standing(&self, change: &ProposedChange) -> String {
        match change {
            ProposedChange::Override(_) => String::new(),
            ProposedChange::Purpose(put) => format!("{:?}", self.purpose(put.name.as_str())),
            ProposedChange::SchemaFloor(floor) => self.floor(Self::floor_name(floor)).to_string(),
            ProposedChange::Settings(_) => format!("{:?}", self.signal_settings()),
        }
    }

    fn waiting(&self, id: EventId, kind: ChangeKind) -> Option<usize> {
        self.pending.iter().position(|it| {
            let is_override = matches!(it.propose.change, ProposedChange::Override(_));
            it.id == id
                && is_override == (kind == ChangeKind::Override)
                && it.since + fixtures::DAY > self.log_time
        })
    }

    pub(super) fn approve(&mut self, command: &Command, approve: &Approve) -> Answer {
        let at = self
            .waiting(approve.change_id, approve.kind)
            .ok_or("CHANGE_UNKNOWN")?;
        let Waiting {
            id,
            propose,
            by,
            stood,
            ..
        } = self.pending[at].clone();
        let same_token = propose.credential.is_some() && propose.credential == approve.credential;
        if by == command.principal || same_token {
            return Err("SECOND_PRINCIPAL_REQUIRED");
        }
        let change = propose.change;
        if propose.credential.is_some() && stood != self.standing(&change) {
            return Err("CHANGE_OUTDATED");
        }
        self.check_proposed(&change)?;
        match &change {
            ProposedChange::Override(terms) => {
                let kept = propose.credential.map(|_| propose.max_minutes);
                let told = kept.into_iter().chain(approve.max_minutes);
                let minutes = told.min().unwrap_or(u32::MAX);
                self.check_expiry(command, terms, minutes)?;
                self.overrides.push(Lifting {
                    id,
                    terms: terms.clone(),
                    revoked_at: None,
                });
                self.revision += 1;
            }
            ProposedChange::Purpose(put) => {
                let (purpose, _) = self.plan(put)?.ok_or("CHANGE_WIDENS_NOTHING")?;
                self.put_planned(purpose);
            }
            ProposedChange::SchemaFloor(floor) => self.put_floor(floor),
            ProposedChange::Settings(settings) => self.put_settings(&settings.gpc_purposes),
        }
        self.pending.remove(at);
        Ok(self.registered(Some(command.event_id), None))
    }

    pub(super) fn withdraw(&mut self, command: &Command, withdraw: &Withdraw) -> Answer {
        let id = withdraw.change_id;
        let now = self.log_time;
        if withdraw.kind == ChangeKind::Override
            && let Some(standing) = self.overrides.iter_mut().find(|it| it.id == id)
        {
            let active = standing.revoked_at.is_none() && now < standing.terms.expires_at.0;
            if active {
                standing.revoked_at = Some(now);
                self.revision += 1;
            }
            return Ok(self.registered(active.then_some(command.event_id), None));
        }
        let at = self.waiting(id, withdraw.kind).ok_or("CHANGE_UNKNOWN")?;
        self.pending.remove(at);
        self.revision += 1;
        Ok(self.registered(Some(command.event_id), None))
    }

    pub(super) fn registered(
        &self,
        event_id: Option<EventId>,
        purpose: Option<Purpose>,
    ) -> Outcome {
        Outcome::Registry {
            event_id,
            revision: self.revision,
            changed: event_id.is_some(),
            purpose,
        }
    }
}
