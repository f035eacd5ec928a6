//! A subject's history: backwards through the journal, from each token's last event to the one before.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use super::{Feed, FeedEnd, off_thread, read};
use crate::{
    domain::{Event, Revision, Token},
    storage::journal::Journal,
};

/// Where a token's history ends: its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The token.
    pub token: Token,
    /// The revision of its last event; 0 where it has none.
    pub revision: Revision,
}

/// Some events of a history, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events, each once.
    pub events: Vec<Event>,
    /// Where the next page begins, as its `before`; 0 where this was the last.
    pub next_before: Revision,
}

impl Feed {
    /// The newest `limit` events before revision `before` (0: from the newest on) that any of the tokens took part in.
    ///
    /// # Errors
    /// [`FeedEnd`]: the journal is not whole here, cannot be read, or the walk took until the deadline.
    pub async fn history(
        &self,
        heads: Vec<Head>,
        before: Revision,
        limit: usize,
        deadline: Instant,
    ) -> Result<Page, FeedEnd> {
        let journal = Arc::clone(&self.journal);
        off_thread(move || walk(&journal, &heads, before, limit, deadline)).await
    }
}

impl Feed {
    /// The events of these revisions, in the same order.
    ///
    /// # Errors
    /// [`FeedEnd`]: the journal is not whole here, or cannot be read.
    pub async fn events(&self, revisions: Vec<Revision>) -> Result<Vec<Event>, FeedEnd> {
        let journal = Arc::clone(&self.journal);
        let one = move |revision| {
            let read = read(&journal, revision, revision)?.pop();
            read.ok_or(FeedEnd::Unreadable)
        };
        off_thread(move || revisions.into_iter().map(one).collect()).await
    }
}

fn walk(
    journal: &Journal,
    heads: &[Head],
    before: Revision,
    limit: usize,
    deadline: Instant,
) -> Result<Page, FeedEnd> {
    // A set, because one event can be the next for several tokens.
    let mut ahead: BTreeSet<Revision> = heads.iter().map(|head| head.revision).collect();
    ahead.remove(&0);
    let mut events: Vec<Event> = Vec::new();
    while events.len() < limit {
        let Some(revision) = ahead.pop_last() else {
            break;
        };
        if Instant::now() >= deadline {
            return Err(FeedEnd::Deadline);
        }
        let event = read(journal, revision, revision)?
            .pop()
            .ok_or(FeedEnd::Unreadable)?;
        let earlier = event
            .tokens
            .iter()
            .filter(|token| heads.iter().any(|head| head.token == token.subject.token))
            .map(|token| token.previous)
            // Only backwards: a damaged link must not turn the walk into a circle.
            .filter(|previous| (1..revision).contains(previous));
        ahead.extend(earlier);
        if before == 0 || revision < before {
            events.push(event);
        }
    }
    let next_before = match events.last() {
        Some(last) if !ahead.is_empty() => last.revision,
        _ => 0,
    };
    Ok(Page {
        events,
        next_before,
    })
}
