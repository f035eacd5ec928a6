//! The high-water mark: how far the log was durable, in a file of its own, so that a lost tail is noticed.
//!
//! ```text
//! two slots, at 0 and at 4096; the one with the highest valid sequence number counts
//! slot  "RFMK" (4)  format (2)  flags (2)  sequence (8)
//!       last term (8)  last index (8)  committed term (8)  committed index (8)  CRC32C of all above (4)
//! flags 1: last is there, 2: committed is there, 4: the log is still being created
//! ```
//! All numbers are big-endian. A slot is only overwritten once the other one is durable.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::{Position, Probe, Step};
use crate::storage::refused::{Cause, Refused};

const MAGIC: [u8; 4] = *b"RFMK";
const FORMAT: u16 = 1;
const SLOT_BYTES: usize = 52;
const SLOT_AT: [u64; 2] = [0, 4096];
/// Both slots, each in a block of its own.
const FILE_BYTES: usize = 8192;

const HAS_LAST: u16 = 1;
const HAS_COMMITTED: u16 = 2;
const CREATING: u16 = 4;

/// What one slot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// The end of the log that was durable.
    pub last: Option<Position>,
    /// The hint how far the log is committed.
    pub committed: Option<Position>,
    /// The log behind it was still being created and had not been handed out.
    pub creating: bool,
}

impl Mark {
    /// The slot's bytes.
    pub fn encode(&self, sequence: u64) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(self.last.is_some(), HAS_LAST)
            | flag(self.committed.is_some(), HAS_COMMITTED)
            | flag(self.creating, CREATING);
        let (last, committed) = (
            self.last.unwrap_or_default(),
            self.committed.unwrap_or_default(),
        );
        slot[..4].copy_from_slice(&MAGIC);
        slot[4..6].copy_from_slice(&FORMAT.to_be_bytes());
        slot[6..8].copy_from_slice(&flags.to_be_bytes());
        let numbers = [sequence, last.0, last.1, committed.0, committed.1];
        for (place, number) in slot[8..48].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let crc = crc32c::crc32c(&slot[..48]);
        slot[48..].copy_from_slice(&crc.to_be_bytes());
        slot
    }

    /// The sequence number and the mark, if the slot is whole. The error is a format of a later version.
    pub fn decode(slot: &[u8]) -> Result<Option<(u64, Self)>, u16> {
        let Some(slot) = slot.first_chunk::<SLOT_BYTES>() else {
            return Ok(None);
        };
        let crc = crc32c::crc32c(&slot[..48]).to_be_bytes();
        if slot[..4] != MAGIC || slot[48..] != crc {
            return Ok(None);
        }
        let half = |at: usize| u16::from_be_bytes([slot[at], slot[at + 1]]);
        if half(4) != FORMAT {
            return Err(half(4));
        }
        let flags = half(6);
        let mut numbers = [0; 5];
        for (number, place) in numbers.iter_mut().zip(slot[8..48].chunks_exact(8)) {
            *number = place
                .iter()
                .fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        }
        let [sequence, last_term, last, committed_term, committed] = numbers;
        let mark = Self {
            last: (flags & HAS_LAST != 0).then_some((last_term, last)),
            committed: (flags & HAS_COMMITTED != 0).then_some((committed_term, committed)),
            creating: flags & CREATING != 0,
        };
        Ok(Some((sequence, mark)))
    }
}

/// The mark's file.
#[derive(Debug)]
pub(super) struct MarkFile {
    file: File,
    sequence: u64,
}

impl MarkFile {
    /// Makes the file, durably, for a log that is about to be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mark = Mark {
            creating: true,
            ..Mark::default()
        };
        let mut bytes = vec![0; FILE_BYTES];
        bytes[..SLOT_BYTES].copy_from_slice(&mark.encode(0));
        let aside = path.with_extension("aside");
        let mut file = File::create(&aside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file, sequence: 0 })
    }

    /// Opens the file and reads the mark; `None` where there is no file.
    pub fn open(path: &Path) -> Result<Option<(Self, Mark)>, Refused> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Refused::io(path, error)),
        };
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        file.read_to_end(&mut bytes)
            .map_err(|error| Refused::io(path, error))?;
        let mut best: Option<(u64, Mark)> = None;
        for at in SLOT_AT {
            let slot = usize::try_from(at).ok().and_then(|at| bytes.get(at..));
            let found = Mark::decode(slot.unwrap_or_default())
                .map_err(|format| Refused::new(path, Cause::LaterFormat(format)))?;
            if found.map(|found| found.0) > best.map(|best| best.0) {
                best = found;
            }
        }
        let Some((sequence, mark)) = best else {
            return Err(Refused::damaged(path, "neither of its two slots is whole"));
        };
        Ok(Some((Self { file, sequence }, mark)))
    }

    /// Writes the next slot and makes it durable.
    pub fn write(&mut self, mark: &Mark) -> io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        self.sequence += 1;
        let at = SLOT_AT[usize::from(self.sequence % 2 == 1)];
        self.file.write_all_at(&mark.encode(self.sequence), at)?;
        self.file.sync_data()
    }
}

/// Writes marks beside the storage thread, so that a batch need not wait for a second sync after its own.
#[derive(Debug)]
pub(super) struct MarkKeeper {
    orders: Option<SyncSender<Mark>>,
    answers: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl MarkKeeper {
    /// Starts the thread that writes `file`.
    pub fn start(mut file: MarkFile, probe: Probe) -> io::Result<Self> {
        let (orders, inbox) = sync_channel::<Mark>(1);
        let (outbox, answers) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("refrain-mark".to_owned())
            .spawn(move || {
                while let Ok(mark) = inbox.recv() {
                    let answer = probe
                        .at(Step::Mark)
                        .and_then(|()| file.write(&mark))
                        .and_then(|()| probe.at(Step::Marked));
                    if outbox.send(answer).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            orders: Some(orders),
            answers,
            thread: Some(thread),
            busy: false,
        })
    }

    /// Begins to write `mark`; the one before has to be waited for.
    pub fn begin(&mut self, mark: Mark) -> io::Result<()> {
        self.wait()?;
        let sent = self
            .orders
            .as_ref()
            .is_some_and(|orders| orders.send(mark).is_ok());
        self.busy = sent;
        if sent { Ok(()) } else { Err(gone()) }
    }

    /// Waits until what was begun is durable.
    pub fn wait(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.busy) {
            return Ok(());
        }
        self.answers.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for MarkKeeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // Its only way to fail is a panic, which the storage thread has seen as a lost answer.
            let _ = thread.join();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that writes the mark has ended")
}
