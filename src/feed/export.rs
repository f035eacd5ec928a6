//! An export: the events up to now that an auditor chose, in order, and where to go on after a break.

use std::sync::Arc;

use futures::Stream;

use super::{Feed, FeedEnd, off_thread, read};
use crate::{
    domain::{
        Detail, Event, EventId, EventKind, Millis, Namespace, ProposedChange, Revision,
        ServiceName, Token,
    },
    limits,
    storage::journal::Journal,
};

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this namespace alone; none for all, and what concerns the whole cluster.
    pub namespace: Option<Namespace>,
    /// Only those that name one of these; empty for all.
    pub tokens: Vec<Token>,
    /// Only those of this service; none for all.
    pub service: Option<ServiceName>,
    /// Received from then on.
    pub since: Millis,
    /// Received before then; none up to now.
    pub until: Option<Millis>,
}

/// Some of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The events, by revision; it may be none.
    pub events: Vec<Event>,
    /// Everything before it has been looked at.
    pub next: Revision,
    /// Whether this is the last.
    pub complete: bool,
}

impl Selection {
    /// Whether an event is wanted, whichever service it is of.
    fn takes(&self, event: &Event) -> bool {
        let named = |token: &Token| event.subjects().any(|it| it.token == *token);
        event.received_at >= self.since
            && self.until.is_none_or(|until| event.received_at < until)
            && (self.namespace.is_none() || event.namespace == self.namespace)
            && (self.tokens.is_empty() || self.tokens.iter().any(named))
    }
}

/// Whether an event is a service's: a change that it sent, an override for it from its proposal to its end, a violation of it.
fn is_of_service(journal: &Journal, event: &Event, service: &ServiceName) -> Result<bool, FeedEnd> {
    if is_of(event, service) {
        return Ok(true);
    }
    let change = event.change_id.filter(|_| {
        matches!(
            event.kind,
            EventKind::OverrideBegan
                | EventKind::OverrideRevoked
                | EventKind::OverrideEnded
                | EventKind::ChangeWithdrawn
        )
    });
    let Some(change) = change else {
        return Ok(false);
    };
    // Which services it is for stands in its proposal alone. Where that cannot be found, better too much than too little.
    let proposal = find(journal, change, event.revision)?;
    Ok(proposal.is_none_or(|proposal| is_of(&proposal, service)))
}

/// The event of an id, looked for from the time in the id on: it was received then, or a little later by the log's time.
fn find(journal: &Journal, id: EventId, before: Revision) -> Result<Option<Event>, FeedEnd> {
    let mut next = first_since(journal, 1, before, id.timestamp())?;
    for _ in 0..limits::EXPORT_READS {
        if next >= before {
            break;
        }
        for event in read(journal, next, before)? {
            if event.id == id {
                return Ok(Some(event));
            }
            next = event.revision + 1;
        }
    }
    Ok(None)
}

/// Whether an event itself names a service.
fn is_of(event: &Event, service: &ServiceName) -> bool {
    event.service == *service
        || match &event.detail {
            Detail::Violation(found) => found.service == *service,
            Detail::Lifted(services) => services.iter().any(|(of, _)| of == service),
            Detail::Proposed(change, _) => match &**change {
                ProposedChange::Override(terms) => terms.services.contains(service),
                ProposedChange::Purpose(_)
                | ProposedChange::SchemaFloor(_)
                | ProposedChange::Settings(_) => false,
            },
            _ => false,
        }
}

impl Feed {
    /// The events from revision `from` to `to` that are wanted, in pieces; the last says that it is complete.
    pub fn export(
        &self,
        from: Revision,
        to: Revision,
        selection: Selection,
    ) -> impl Stream<Item = Result<Exported, FeedEnd>> + Send + use<> {
        let feed = self.clone();
        async_stream::try_stream! {
            let journal = Arc::clone(&feed.journal);
            let since = selection.since;
            let mut next = off_thread(move || first_since(&journal, from.max(1), to, since)).await?;
            loop {
                if feed.stop.is_cancelled() {
                    Err(FeedEnd::Stopping)?;
                }
                let journal = Arc::clone(&feed.journal);
                let chosen = selection.clone();
                let some = off_thread(move || look_through(&journal, next, to, &chosen)).await?;
                next = some.next;
                let complete = some.complete;
                yield some;
                if complete {
                    break;
                }
            }
        }
    }
}

/// The first revision from `from` on that was received at `since` or later: the log's time never goes back. `to` and one where
/// there is none.
fn first_since(
    journal: &Journal,
    from: Revision,
    to: Revision,
    since: Millis,
) -> Result<Revision, FeedEnd> {
    let (mut low, mut high) = (from, to.saturating_add(1));
    if since == Millis::default() {
        return Ok(low);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let event = read(journal, middle, middle)?.pop();
        let event = event.ok_or(FeedEnd::Unreadable)?;
        if event.received_at < since {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Looks through some of the journal: until something is found, or for as long as one answer may take.
fn look_through(
    journal: &Journal,
    mut next: Revision,
    to: Revision,
    selection: &Selection,
) -> Result<Exported, FeedEnd> {
    let mut events = Vec::new();
    for _ in 0..limits::EXPORT_READS {
        if next > to {
            break;
        }
        for event in read(journal, next, to)? {
            if selection
                .until
                .is_some_and(|until| event.received_at >= until)
            {
                return Ok(Exported {
                    events,
                    next,
                    complete: true,
                });
            }
            next = event.revision + 1;
            let wanted = selection.takes(&event)
                && match &selection.service {
                    None => true,
                    Some(service) => is_of_service(journal, &event, service)?,
                };
            if wanted {
                events.push(event);
            }
        }
        if !events.is_empty() {
            break;
        }
    }
    Ok(Exported {
        events,
        next,
        complete: next > to,
    })
}
