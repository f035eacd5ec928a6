//! openraft's view of the log: conversions, and nothing else, over `storage::Log`.

use std::{fmt::Debug, io, ops::Bound, ops::RangeBounds, sync::Arc};

use async_stream::try_stream;
use futures::Stream;
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
        let (start, end) = ends(&range);
        self.0
            .read(start..end, max_bytes)?
            .into_iter()
            .map(from_stored)
            .collect()
    }
}

/// The first index of a range, and the one after its last.
fn ends(range: &impl RangeBounds<u64>) -> (u64, u64) {
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
    (start, end)
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

    /// Read as they are applied, a little at a time: after a restart they may be the whole log.
    async fn entries_stream<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + OptionalSend {
        let (mut start, end) = ends(&range);
        let log = self.clone();
        try_stream! {
            while start < end {
                let entries = log.read(start..end, APPEND_BYTES)?;
                let Some(last) = entries.last() else { break };
                start = last.log_id.index + 1;
                for entry in entries {
                    yield entry;
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use bytes::Bytes;
    use futures::StreamExt as _;
    use openraft::EntryPayload;

    use super::*;
    use crate::consensus::types::EncodedCommand;
    use crate::storage::log::MemoryLog;

    const BYTES: usize = 10 << 10;

    fn entry(index: u64) -> Entry {
        let command = Bytes::from(vec![7; BYTES]);
        Entry {
            log_id: log_id(1, index),
            payload: EntryPayload::Normal(EncodedCommand(command)),
        }
    }

    #[tokio::test]
    async fn entries_are_read_whole_and_a_little_at_a_time() {
        let log = Arc::new(MemoryLog::new());
        let mut store = LogStore::new(log.clone());
        let entries = (1..=200).map(|n| to_stored(entry(n)).unwrap()).collect();
        let (done, appended) = completion();
        log.append(entries, done).unwrap();
        appended.await.unwrap();

        let indices = |read: Vec<io::Result<Entry>>| -> Vec<u64> {
            let index = |entry: io::Result<Entry>| entry.unwrap().log_id.index;
            read.into_iter().map(index).collect()
        };
        let all = store.entries_stream(3..=190).await.collect().await;
        assert_eq!(indices(all), (3..=190).collect::<Vec<_>>());

        // What is no longer there when its turn comes was not in memory.
        let mut stream = pin!(store.entries_stream(1..201).await);
        stream.next().await.unwrap().unwrap();
        let (done, truncated) = completion();
        log.truncate_after(Some(1), done);
        truncated.await.unwrap();
        let rest = indices(stream.collect().await);
        assert!(
            !rest.is_empty() && rest.len() * BYTES <= APPEND_BYTES,
            "{rest:?}"
        );
    }
}
