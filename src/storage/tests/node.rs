//! The storage of one node, opened in the order in which a node opens it, and what it holds.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use zeroize::Zeroizing;

use super::trace::Trace;
use crate::storage::data_folder::DataFolder;
use crate::storage::files::Files;
use crate::storage::identity::Identity;
use crate::storage::journal::{Journal, JournalEdge, MAX_LEAF};
use crate::storage::log::{Done, Log as _, LogEntry, LogOptions, Position, Probe, Sizes, SledLog};
use crate::storage::refused::Cause;
use crate::storage::secrets::STAMPS;
use crate::storage::snapshot::{Section, Snapshots};

/// Sizes a hundredth of the real ones, so that a few entries fill segments.
const SMALL: Sizes = Sizes {
    segment: 64 << 10,
    record: 800,
    sync: 8 << 10,
    removals: 20,
};

/// Everything that an operation may have promised to keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stand {
    pub identity: Option<Identity>,
    pub vote: Option<Bytes>,
    /// The first byte of each secret.
    pub secrets: Vec<u8>,
    /// The terms of all entries from the very first, in the snapshot or in the log. The rest of an entry follows.
    pub terms: Vec<u64>,
}

/// The storage of a node that runs.
pub struct Node {
    pub stand: Stand,
    pub files: Arc<dyn Files>,
    pub log: SledLog,
    pub journal: Journal,
    pub snapshots: Snapshots,
}

/// The event of an entry.
pub fn leaf(term: u64, index: u64) -> Vec<u8> {
    let length = usize::try_from(20 + index * 7 % 41).unwrap();
    let text = format!("entry {index} of term {term} ");
    text.into_bytes().into_iter().cycle().take(length).collect()
}

/// The evidence that an entry brings; few do.
fn evidence(index: u64) -> Option<Vec<u8>> {
    (index % 97 == 5).then(|| format!("evidence {index}").into_bytes())
}

/// An entry of the log. One in a while takes several records.
pub fn entry(term: u64, index: u64) -> LogEntry {
    let mut payload = leaf(term, index);
    if index % 53 == 11 {
        payload.resize(2000, 7);
    }
    LogEntry {
        term,
        index,
        payload: payload.into(),
    }
}

/// A callback, and the way to wait for it.
pub fn waiter() -> (Done, impl FnOnce()) {
    let (tell, told) = channel();
    let done: Done = Box::new(move |result| tell.send(result).unwrap());
    let wait = move || {
        let result = told.recv_timeout(Duration::from_secs(60));
        result.expect("the callback never came").unwrap();
    };
    (done, wait)
}

/// Opens what a power cut has left. The error is the text of the refusal.
pub fn recover(root: &Path) -> Result<Node, String> {
    let files = DataFolder::open(root).map_err(|error| error.to_string())?;
    let node = Node::open(Arc::new(files), root, None)?;
    node.replay(node.stand.terms.len() as u64)?;
    node.read_back()?;
    Ok(node)
}

impl Node {
    /// Opens the storage. The journal is at the snapshot's edge then.
    pub fn open(files: Arc<dyn Files>, root: &Path, trace: Option<&Trace>) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let identity = Identity::load(&*files).map_err(|error| text(&error))?;
        let options = LogOptions {
            must_exist: identity.is_some(),
            recent_bytes: 4 << 10,
            sizes: SMALL,
            probe: trace.map_or_else(Probe::default, Trace::probe),
            ..LogOptions::default()
        };
        let fatal = Arc::new(|error: &std::io::Error| panic!("the log failed: {error}"));
        trace.inspect(|trace| trace.before_open());
        let mut log = SledLog::open(Arc::clone(&files), root, &options, fatal.clone());
        let patience = Instant::now() + Duration::from_secs(60);
        while let Err(refused) = &log
            && matches!(refused.cause(), Cause::InUse)
            && Instant::now() < patience
        {
            // A thread of sled's may hold the lock for a moment after the log was dropped, in this process only.
            std::thread::sleep(Duration::from_millis(5));
            log = SledLog::open(Arc::clone(&files), root, &options, fatal.clone());
        }
        let log = log.map_err(|error| text(&error))?;
        trace.inspect(|trace| trace.opened());
        let secrets = STAMPS.load(&*files).map_err(|error| text(&error))?;

        let snapshots = Snapshots::open(Arc::clone(&files)).map_err(|error| text(&error))?;
        let latest = snapshots.latest().map_err(|error| text(&error))?;
        let (edge, mut terms) = match latest {
            Some(position) => read_snapshot(&snapshots, position)?,
            None => (JournalEdge::default(), Vec::new()),
        };
        let ends = log.ends();
        if ends
            .purged
            .is_some_and(|(_, index)| index >= terms.len() as u64)
        {
            return Err(format!("purged up to {:?} without a snapshot", ends.purged));
        }
        let journal = Journal::open(Arc::clone(&files), &edge).map_err(|error| text(&error))?;
        for found in log
            .read(0..u64::MAX, usize::MAX)
            .map_err(|error| text(&error))?
        {
            if found != entry(found.term, found.index) {
                return Err(format!("entry {} is another", found.index));
            }
            match terms.get(usize::try_from(found.index).unwrap()) {
                Some(term) if *term == found.term => {}
                None if found.index == terms.len() as u64 => terms.push(found.term),
                other => return Err(format!("{other:?} in the place of entry {}", found.index)),
            }
        }
        if ends.last.map_or(0, |(_, index)| index + 1) != terms.len() as u64 {
            return Err(format!(
                "the log ends at {:?}, behind the snapshot",
                ends.last
            ));
        }
        let stand = Stand {
            identity,
            vote: log.vote(),
            secrets: secrets.iter().map(|secret| secret[0]).collect(),
            terms,
        };
        Ok(Self {
            stand,
            files,
            log,
            journal,
            snapshots,
        })
    }

    /// Applies the entries before `end`, as far as the journal does not have them.
    pub fn replay(&self, end: u64) -> Result<(), String> {
        for index in self.journal.size()..end {
            let term = self.stand.terms[usize::try_from(index).unwrap()];
            let appended = self
                .journal
                .append(&leaf(term, index), evidence(index).as_deref());
            appended.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Reads the whole journal, and compares.
    fn read_back(&self) -> Result<(), String> {
        let mut next = 0;
        while next < self.journal.size() {
            let page = self.journal.read(next + 1, u64::MAX, MAX_LEAF);
            for (revision, event) in page.map_err(|error| error.to_string())? {
                let term = self.stand.terms[usize::try_from(next).unwrap()];
                if revision != next + 1 || event != leaf(term, next) {
                    return Err(format!("event {revision} of the journal is another"));
                }
                next += 1;
            }
        }
        Ok(())
    }

    /// Publishes a snapshot of the first `size` entries, all of which are applied.
    pub fn snapshot(&self, size: u64) {
        let edge = self.journal.sync().unwrap();
        assert_eq!(edge.size(), size);
        let terms = &self.stand.terms[..usize::try_from(size).unwrap()];
        let state: Vec<u8> = terms.iter().flat_map(|term| term.to_be_bytes()).collect();
        let mut writer = self.snapshots.create(size - 1, b"meta").unwrap();
        writer.push(Section::Journal, &edge.encode()).unwrap();
        writer.push(Section::State, &state).unwrap();
        writer.finish().unwrap();
    }

    /// Purges the log up to an entry.
    pub fn purge(&self, index: u64) {
        let term = self.stand.terms[usize::try_from(index).unwrap()];
        let upto: Position = (term, index);
        let (done, wait) = waiter();
        self.log.purge(upto, done);
        wait();
    }

    /// Everything that a node does, once more.
    pub fn go_on(&mut self) {
        let identity = *self.stand.identity.get_or_insert(Identity {
            node_id: 77,
            cluster_id: None,
            format: 1,
        });
        identity.save(&*self.files).unwrap();
        let vote = Bytes::from_static(b"a later vote");
        let (done, wait) = waiter();
        self.log.save_vote(vote.clone(), done);
        wait();
        self.stand.vote = Some(vote);
        let term = self.stand.terms.last().map_or(1, |term| *term);
        let next = self.stand.terms.len() as u64;
        let (done, wait) = waiter();
        let entries = (next..next + 300).map(|index| entry(term, index)).collect();
        self.log.append(entries, done).unwrap();
        wait();
        self.stand.terms.resize(self.stand.terms.len() + 300, term);
        self.replay(next + 290).unwrap();
        self.snapshot(next + 290);
        self.purge(next + 280);
        self.stand.secrets = vec![99];
        STAMPS
            .save(&*self.files, &[Zeroizing::new([99; 32])])
            .unwrap();
    }
}

fn read_snapshot(snapshots: &Snapshots, position: u64) -> Result<(JournalEdge, Vec<u64>), String> {
    let mut reader = snapshots
        .read(position)
        .map_err(|error| error.to_string())?;
    let (mut edge, mut terms) = (JournalEdge::default(), Vec::new());
    while let Some((section, chunk)) = reader.next_chunk().map_err(|error| error.to_string())? {
        match section {
            Section::Journal => edge = JournalEdge::decode(&chunk)?,
            Section::State => {
                let (numbers, _) = chunk.as_chunks::<8>();
                terms = numbers
                    .iter()
                    .map(|term| u64::from_be_bytes(*term))
                    .collect();
            }
        }
    }
    let size = position + 1;
    if edge.size() != size || terms.len() as u64 != size {
        return Err(format!("the snapshot at {position} is of another size"));
    }
    Ok((edge, terms))
}
