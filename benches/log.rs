//! The log against a bare append-and-fdatasync loop: throughput and median latency at several batch sizes.
//!
//! `cargo bench --bench log [-- FOLDER]`; the folder should lie on the disk that is meant, not on a tmpfs. Both write
//! to the same disk in turns of a few batches, so that what else the machine does meets both alike.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use refrain::storage::data_folder::DataFolder;
use refrain::storage::log::{Log as _, LogEntry, LogOptions, SledLog};

/// What one entry holds.
const ENTRY_BYTES: usize = 200;
/// How long each pair is measured.
const RUN: Duration = Duration::from_secs(4);
/// How many batches one of the two writes before it is the other's turn.
const TURN: usize = 25;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let folder = match folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?,
    };
    println!("One writer that waits for each batch; entries of {ENTRY_BYTES} bytes.");
    println!("batch |       bare loop       |          log          | throughput | median");
    println!("      |  entries/s     median |  entries/s     median |      ratio |  ratio");
    let mut reopened = None;
    for batch in [1, 8, 64, 256] {
        let mut bare = Timed::new(batch);
        let mut log = Timed::new(batch);
        let mut file = Bare::open(folder.path(), batch)?;
        let mut store = Log::open(folder.path(), batch)?;
        let begun = Instant::now();
        while begun.elapsed() < RUN {
            bare.turn(|| file.write())?;
            log.turn(|| store.write())?;
        }
        let (bare_rate, log_rate) = (bare.entries_per_second(), log.entries_per_second());
        let (bare_median, log_median) = (bare.median(), log.median());
        println!(
            "{batch:5} | {bare_rate:10.0} {bare_median:>10.0?} | {log_rate:10.0} {log_median:>10.0?} | {:10.2} | {:6.2}",
            log_rate / bare_rate,
            log_median.as_secs_f64() / bare_median.as_secs_f64(),
        );
        reopened = Some(store.reopen()?);
    }
    if let Some((bytes, time)) = reopened {
        println!("Opening that last log again, {bytes} bytes of records: {time:.0?}.");
    }
    Ok(())
}

/// The times of one of the two.
struct Timed {
    batch: u32,
    times: Vec<Duration>,
}

impl Timed {
    fn new(batch: u32) -> Self {
        Self {
            batch,
            times: Vec::new(),
        }
    }

    fn turn(&mut self, mut write: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        for _ in 0..TURN {
            let start = Instant::now();
            write()?;
            self.times.push(start.elapsed());
        }
        Ok(())
    }

    fn entries_per_second(&self) -> f64 {
        let time: Duration = self.times.iter().sum();
        let batches = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        f64::from(batches) * f64::from(self.batch) / time.as_secs_f64()
    }

    fn median(&mut self) -> Duration {
        let middle = self.times.len() / 2;
        *self.times.select_nth_unstable(middle).1
    }
}

/// Append and fdatasync, nothing else.
struct Bare {
    file: File,
    bytes: Vec<u8>,
}

impl Bare {
    fn open(folder: &Path, batch: u32) -> anyhow::Result<Self> {
        Ok(Self {
            file: File::create(folder.join(format!("bare-{batch}")))?,
            bytes: vec![7; ENTRY_BYTES * usize::try_from(batch)?],
        })
    }

    fn write(&mut self) -> anyhow::Result<()> {
        self.file.write_all(&self.bytes)?;
        Ok(self.file.sync_data()?)
    }
}

fn open(folder: &Path) -> anyhow::Result<SledLog> {
    let files = Arc::new(DataFolder::open(folder)?);
    let fatal = Arc::new(|error: &std::io::Error| eprintln!("the log failed: {error}"));
    Ok(SledLog::open(files, folder, &LogOptions::default(), fatal)?)
}

/// The log that the server uses.
struct Log {
    store: SledLog,
    folder: PathBuf,
    batch: u32,
    next: u64,
    payload: Bytes,
    tell: Sender<std::io::Result<()>>,
    told: Receiver<std::io::Result<()>>,
}

impl Log {
    fn open(folder: &Path, batch: u32) -> anyhow::Result<Self> {
        let folder = folder.join(format!("log-{batch}"));
        let store = open(&folder)?;
        let (told_vote, vote) = channel();
        store.save_vote(
            Bytes::from_static(b"vote"),
            Box::new(move |result| {
                let _ = told_vote.send(result);
            }),
        );
        vote.recv()??;
        let (tell, told) = channel();
        Ok(Self {
            store,
            folder,
            batch,
            next: 0,
            payload: vec![7; ENTRY_BYTES].into(),
            tell,
            told,
        })
    }

    /// Closes the log and opens it again: its live bytes, and how long opening took.
    fn reopen(self) -> anyhow::Result<(u64, Duration)> {
        let bytes = self.store.bytes();
        drop(self.store);
        let start = Instant::now();
        let store = open(&self.folder)?;
        let time = start.elapsed();
        anyhow::ensure!(store.bytes() == bytes, "the log came back with other bytes");
        Ok((bytes, time))
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let end = self.next + u64::from(self.batch);
        let entries = (self.next..end).map(|index| LogEntry {
            term: 1,
            index,
            payload: self.payload.clone(),
        });
        let tell = self.tell.clone();
        let done = Box::new(move |result| {
            // The receiver outlives every batch.
            let _ = tell.send(result);
        });
        self.store.append(entries.collect(), done)?;
        self.next = end;
        self.told.recv().context("the log is gone")??;
        Ok(())
    }
}
