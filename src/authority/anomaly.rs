//! What was found out of the ordinary, and what counts as that.

use super::query::Query;
use crate::{
    admission::{Admissible, Need, Needs, Permission, Touches},
    domain::{
        AnomalyKind, AnomalySettings, FoundAnomaly, Millis, Namespace, Refusal, Revision, State,
    },
};

/// Where are the events of anomalies?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAnomalies {
    /// In this namespace; none for all, those of the whole cluster among them.
    pub namespace: Option<Namespace>,
    /// Of this kind; none for all.
    pub kind: Option<AnomalyKind>,
    /// Found from then on.
    pub since: Millis,
    /// Before this revision; 0 from the newest on.
    pub before: Revision,
    /// At most so many.
    pub limit: usize,
}

impl Admissible for ListAnomalies {
    fn needs(&self) -> Needs<'_> {
        Needs::one(match &self.namespace {
            Some(namespace) => Need::within(Permission::Audit, namespace, Touches::All),
            None => Need::everywhere(Permission::Audit),
        })
    }
}

impl Query for ListAnomalies {
    /// Their revisions, the newest first, and whether there are more.
    type Answer = (Vec<Revision>, bool);

    fn answer(self, state: &State, _at: Millis) -> Result<Self::Answer, Refusal> {
        let wanted = |it: &&FoundAnomaly| {
            (self.before == 0 || it.revision < self.before)
                && it.received_at >= self.since
                && self.kind.is_none_or(|wanted| it.kind == wanted)
                && (self.namespace.is_none() || it.namespace == self.namespace)
        };
        let mut found = state.anomalies().filter(wanted).map(|it| it.revision);
        let page: Vec<Revision> = found.by_ref().take(self.limit).collect();
        Ok((page, found.next().is_some()))
    }
}

/// What counts as out of the ordinary?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetAnomalySettings;

impl Admissible for GetAnomalySettings {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Audit))
    }
}

impl Query for GetAnomalySettings {
    /// The settings, and the revision at which they hold.
    type Answer = (AnomalySettings, Revision);

    fn answer(self, state: &State, _at: Millis) -> Result<Self::Answer, Refusal> {
        Ok((state.anomaly_settings(), state.revision()))
    }
}
