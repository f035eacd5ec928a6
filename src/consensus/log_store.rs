//! openraft's view of the log: conversions, and nothing else, over `storage::Log`.

use std::{fmt::Debug, io, ops::Bound, ops::RangeBounds, sync::Arc};

use openraft::{
    OptionalSend, RaftLogReader,
    storage::{IOFlushed, LogState, RaftLogStorage},
};
use tokio::sync::oneshot;

use super::types::{Entry, LogId, Types, Vote, from_stored, log_id, numbers, to_stored};
use crate::limits::APPEND_BYTES;
use crate::storage::log::{Done, Log};

/// The log store that openraft is given.
#[derive(Clone)]
pub struct LogStore(Arc<dyn Log>);

impl LogStore {
    /// Wraps a log.
    pub fn new(log: Arc<dyn Log>) -> Self {
        Self(log)
    }

    fn read(&self, range: impl RangeBounds<u64>, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.0
            .read(start..end, max_bytes)?
            .into_iter()
            .map(from_stored)
            .collect()
    }
}

/// A `Done` and the future that it completes.
fn completion() -> (Done, impl Future<Output = io::Result<()>>) {
    let (sender, receiver) = oneshot::channel();
    let done: Done = Box::new(move |result| {
        // The caller may have gone: then nobody waits for the result.
        let _ = sender.send(result);
    });
    let wait = async move {
        receiver
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the storage thread has stopped")))
    };
    (done, wait)
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        self.read(range, usize::MAX)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start..end, APPEND_BYTES)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        let Some(bytes) = self.0.vote() else {
            return Ok(None);
        };
        let vote = serde_json::from_slice(&bytes)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("vote: {e}")))?;
        Ok(Some(vote))
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let ends = self.0.ends();
        let id = |(term, index)| log_id(term, index);
        Ok(LogState {
            last_purged_log_id: ends.purged.map(id),
            last_log_id: ends.last.or(ends.purged).map(id),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let bytes = serde_json::to_vec(vote).map_err(io::Error::other)?;
        let (done, saved) = completion();
        self.0.save_vote(bytes.into(), done);
        saved.await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries
            .into_iter()
            .map(to_stored)
            .collect::<io::Result<Vec<_>>>()?;
        self.0.append(
            entries,
            Box::new(move |result| callback.io_completed(result)),
        )
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let (done, truncated) = completion();
        self.0.truncate_after(last.map(|id| id.index), done);
        truncated.await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let (done, purged) = completion();
        self.0.purge(numbers(&upto), done);
        purged.await
    }
}
