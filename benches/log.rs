//! The log against a bare append-and-fdatasync loop: throughput and median latency at several batch sizes.
//!
//! `cargo bench --bench log [-- FOLDER]`; the folder should lie on the disk that is meant, not on a tmpfs.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use refrain::storage::data_folder::DataFolder;
use refrain::storage::log::{Log as _, LogEntry, LogOptions, SledLog};

/// What one entry holds.
const ENTRY_BYTES: usize = 200;
/// How long each measurement runs.
const RUN: Duration = Duration::from_secs(3);
/// How many times each pair is measured; the median of the ratios is told.
const ROUNDS: usize = 3;

struct Measured {
    entries_per_second: f64,
    median: Duration,
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let folder = match folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?,
    };
    println!("one writer that waits for each batch; entries of {ENTRY_BYTES} bytes");
    println!("batch |      bare loop      |         log         | throughput | latency");
    println!("      |  entries/s   median |  entries/s   median |      ratio |   ratio");
    for batch in [1, 8, 64, 256] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let bare = bare(folder.path(), batch)?;
            let log = log(folder.path(), batch)?;
            rounds.push((bare, log));
        }
        rounds.sort_by(|a, b| throughput(a).total_cmp(&throughput(b)));
        let middle = &rounds[ROUNDS / 2];
        let (bare, log) = middle;
        println!(
            "{batch:5} | {:10.0} {:>8.0?} | {:10.0} {:>8.0?} | {:10.2} | {:7.2}",
            bare.entries_per_second,
            bare.median,
            log.entries_per_second,
            log.median,
            throughput(middle),
            log.median.as_secs_f64() / bare.median.as_secs_f64(),
        );
    }
    Ok(())
}

fn throughput((bare, log): &(Measured, Measured)) -> f64 {
    log.entries_per_second / bare.entries_per_second
}

/// Runs `write` again and again, which makes one batch durable.
fn measure(
    batch: u64,
    mut write: impl FnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    let mut next = 0;
    for _ in 0..50 {
        write(next)?;
        next += batch;
    }
    let (mut times, mut entries) = (Vec::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < RUN {
        let start = Instant::now();
        write(next)?;
        times.push(start.elapsed());
        next += batch;
        entries += batch;
    }
    #[allow(clippy::cast_precision_loss)]
    let entries_per_second = entries as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    Ok(Measured {
        entries_per_second,
        median: times[times.len() / 2],
    })
}

fn bare(folder: &Path, batch: u64) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir_in(folder)?;
    let mut file = std::fs::File::create(folder.path().join("bare"))?;
    let bytes = vec![7; ENTRY_BYTES * usize::try_from(batch)?];
    measure(batch, |_| {
        file.write_all(&bytes)?;
        Ok(file.sync_data()?)
    })
}

fn log(folder: &Path, batch: u64) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir_in(folder)?;
    let files = Arc::new(DataFolder::open(folder.path())?);
    let log = SledLog::open(
        files,
        folder.path(),
        LogOptions::default(),
        Arc::new(|error| panic!("{error}")),
    )?;
    let (tell, told) = channel();
    let payload = Bytes::from(vec![7; ENTRY_BYTES]);
    measure(batch, |next| {
        let entries = (next..next + batch)
            .map(|index| LogEntry {
                term: 1,
                index,
                payload: payload.clone(),
            })
            .collect();
        let tell = tell.clone();
        log.append(
            entries,
            Box::new(move |result| {
                // The receiver outlives every batch.
                let _ = tell.send(result);
            }),
        )?;
        told.recv().context("the log is gone")??;
        Ok(())
    })
}
