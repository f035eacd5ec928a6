//! Crashes: the power goes at any step, each block of the files keeps its old or its new content, and the log opens with
//! everything that was acknowledged.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::super::*;
use super::support::*;

/// What a disk keeps or loses as one.
const BLOCK: usize = 512;

#[derive(Clone, Debug, Default, PartialEq)]
struct Stand {
    purged: Option<Position>,
    entries: Vec<LogEntry>,
    vote: Option<Bytes>,
}

#[derive(Clone, Debug)]
enum Op {
    Append(Vec<LogEntry>),
    Cut(Option<u64>),
    Purge(Position),
    Vote(Bytes),
}

impl Stand {
    fn last(&self) -> Option<Position> {
        self.entries.last().map(LogEntry::position).or(self.purged)
    }

    fn next(&self) -> u64 {
        self.last().map_or(0, |(_, index)| index + 1)
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Append(entries) => self.entries.extend(entries.iter().cloned()),
            Op::Cut(after) => self.entries.retain(|entry| Some(entry.index) <= *after),
            Op::Purge(upto) => {
                self.entries.retain(|entry| entry.index > upto.1);
                self.purged = Some(*upto);
            }
            Op::Vote(vote) => self.vote = Some(vote.clone()),
        }
    }

    /// Whether `found` lies on the way from here to after `op`.
    fn leads_to(&self, op: &Op, found: &Self) -> bool {
        let mut after = self.clone();
        after.apply(op);
        if *found == after {
            return true;
        }
        let (longer, shorter) = match op {
            Op::Append(_) => (&after, self),
            Op::Cut(_) => (self, &after),
            Op::Purge(_) | Op::Vote(_) => return false,
        };
        found.purged == longer.purged
            && found.vote == longer.vote
            && found.entries.len() >= shorter.entries.len()
            && longer.entries.starts_with(&found.entries)
    }
}

#[derive(Default)]
struct History {
    ops: Vec<Op>,
    told: usize,
}

impl History {
    /// Checks that `found` may be what is left when `told` of the operations had been acknowledged.
    fn allows(&self, told: usize, found: &Stand) -> bool {
        let mut stand = Stand::default();
        for op in &self.ops[..told] {
            stand.apply(op);
        }
        if stand == *found {
            return true;
        }
        for op in &self.ops[told..] {
            if stand.leads_to(op, found) {
                return true;
            }
            stand.apply(op);
        }
        false
    }
}

/// What the power's failure leaves.
struct Image {
    folder: Folder,
    told: usize,
    step: Step,
}

/// Takes images of a folder while its log is being written.
struct Camera {
    folder: std::path::PathBuf,
    history: Arc<Mutex<History>>,
    inner: Mutex<CameraInner>,
}

struct CameraInner {
    dice: Dice,
    durable_db: Vec<u8>,
    durable_mark: Vec<u8>,
    images: Vec<Image>,
    on: bool,
}

impl Camera {
    fn see(&self, step: Step) {
        let mut inner = self.inner.lock().unwrap();
        if step == Step::Marked {
            inner.durable_mark = fs::read(self.folder.join("log.mark")).unwrap();
        }
        if step == Step::Synced {
            inner.durable_db = fs::read(self.folder.join("log/db")).unwrap();
        }
        if inner.on && inner.dice.roll(25) == 0 {
            let image = self.shoot(step, &mut inner);
            inner.images.push(image);
        }
    }

    fn shoot(&self, step: Step, inner: &mut CameraInner) -> Image {
        // In this order: what was told before is in the files that are read after, and the mark is not ahead of them.
        let told = self.history.lock().unwrap().told;
        let mark = fs::read(self.folder.join("log.mark")).unwrap();
        let mark = mix(&inner.durable_mark, &mark, &mut inner.dice);
        let vote = fs::read(self.folder.join("vote")).ok();
        let db = fs::read(self.folder.join("log/db")).unwrap();
        let db = mix(&inner.durable_db, &db, &mut inner.dice);
        let folder = Folder::new();
        let to = folder.path();
        fs::create_dir_all(to.join("log/blobs")).unwrap();
        fs::write(to.join("log.mark"), mark).unwrap();
        fs::write(to.join("log/db"), db).unwrap();
        if let Some(vote) = vote {
            fs::write(to.join("vote"), vote).unwrap();
        }
        for file in fs::read_dir(self.folder.join("log")).unwrap() {
            let name = file.unwrap().file_name();
            let text = name.to_string_lossy();
            if text == "conf" || text.starts_with("snap.") {
                fs::copy(
                    self.folder.join("log").join(&name),
                    to.join("log").join(&name),
                )
                .unwrap();
            }
        }
        Image { folder, told, step }
    }
}

/// Each block of the file is as it was durable, or as it was written since.
fn mix(durable: &[u8], now: &[u8], dice: &mut Dice) -> Vec<u8> {
    let length = if dice.roll(2) == 0 {
        durable.len()
    } else {
        now.len()
    };
    let keep = dice.roll(5);
    let mut mixed = vec![0; length];
    for (number, block) in mixed.chunks_mut(BLOCK).enumerate() {
        let at = number * BLOCK;
        let source = if dice.roll(4) < keep { durable } else { now };
        let Some(source) = source.get(at..) else {
            continue;
        };
        let part = block.len().min(source.len());
        block[..part].copy_from_slice(&source[..part]);
    }
    mixed
}

fn stand(log: &SledLog) -> Stand {
    Stand {
        purged: log.ends().purged,
        entries: log.all(),
        vote: log.vote(),
    }
}

/// Writes at random until enough images are taken, and gives them.
fn write_and_shoot(seed: u64, steps: usize) -> (Vec<Image>, Arc<Mutex<History>>) {
    let folder = Folder::new();
    let history: Arc<Mutex<History>> = Arc::default();
    let camera = Arc::new(Camera {
        folder: folder.path(),
        history: Arc::clone(&history),
        inner: Mutex::new(CameraInner {
            dice: Dice(seed),
            durable_db: Vec::new(),
            durable_mark: Vec::new(),
            images: Vec::new(),
            on: false,
        }),
    });
    let lens = Arc::clone(&camera);
    let options = LogOptions {
        probe: Probe(Some(Arc::new(move |step| {
            lens.see(step);
            Ok(())
        }))),
        ..small()
    };
    let log = folder.try_open(&options).unwrap();
    {
        let mut inner = camera.inner.lock().unwrap();
        inner.durable_db = fs::read(folder.path().join("log/db")).unwrap();
        inner.durable_mark = fs::read(folder.path().join("log.mark")).unwrap();
        inner.on = true;
    }
    let mut dice = Dice(seed + 1000);
    let mut stand = Stand::default();
    let mut waits = Vec::new();
    for step in 0..steps {
        let last = stand.last().map_or(1, |(term, _)| term);
        let op = match dice.roll(16) {
            _ if step == 0 => Op::Vote(Bytes::from_static(b"vote")),
            0 if stand.next() > 0 => Op::Cut((stand.next() - 1).checked_sub(dice.roll(40))),
            1 if stand.entries.len() > 10 => {
                Op::Purge(stand.entries[stand.entries.len() / 3].position())
            }
            2 if dice.roll(4) == 0 => Op::Purge((last, stand.next() + dice.roll(9))),
            3 => Op::Vote(Bytes::from(format!("vote {step}"))),
            _ => {
                let term = last + u64::from(dice.roll(9) == 0);
                let length = if dice.roll(12) == 0 { 3000 } else { 90 };
                let count = 1 + dice.roll(12);
                Op::Append(
                    (stand.next()..stand.next() + count)
                        .map(|index| entry(term, index, length))
                        .collect(),
                )
            }
        };
        stand.apply(&op);
        history.lock().unwrap().ops.push(op.clone());
        let (tell, told) = waiter();
        let count = Arc::clone(&history);
        let done: Done = Box::new(move |result| {
            count.lock().unwrap().told += 1;
            tell(result);
        });
        match op {
            Op::Append(entries) => log.append(entries, done).unwrap(),
            Op::Cut(after) => log.truncate_after(after, done),
            Op::Purge(upto) => log.purge(upto, done),
            Op::Vote(vote) => log.save_vote(vote, done),
        }
        waits.push(told);
        if dice.roll(3) == 0 {
            for told in waits.drain(..) {
                wait(&told).unwrap();
            }
        }
    }
    for told in waits {
        wait(&told).unwrap();
    }
    let images = std::mem::take(&mut camera.inner.lock().unwrap().images);
    assert!(images.len() > 5, "{} images", images.len());
    (images, history)
}

#[test]
fn whatever_the_power_leaves_holds_all_that_was_acknowledged() {
    for seed in 0..4 {
        let (images, history) = write_and_shoot(seed, 120);
        let history = history.lock().unwrap();
        for (number, Image { folder, told, step }) in images.into_iter().enumerate() {
            let log = folder.try_open(&small()).unwrap_or_else(|refused| {
                panic!("seed {seed}, image {number} at {step:?}: {refused}")
            });
            let found = stand(&log);
            assert!(
                history.allows(told, &found),
                "seed {seed}, image {number} at {step:?}: {told} operations were acknowledged, but it has {:?} to {:?}",
                found.purged,
                found.last(),
            );
            // It goes on from there.
            let next = found.next();
            let term = found.last().map_or(1, |(term, _)| term);
            if log.vote().is_none() {
                log.cast(b"vote");
            }
            log.put(entries(term, next..next + 5, 50));
            drop(log);
            assert_eq!(folder.open_small().ends().last, Some((term, next + 4)));
        }
    }
}

#[test]
fn a_copy_taken_between_two_syncs_opens() {
    let folder = Folder::new();
    let copies: Arc<Mutex<Vec<Folder>>> = Arc::default();
    let (from, into) = (folder.path(), Arc::clone(&copies));
    let count = std::sync::atomic::AtomicUsize::new(0);
    let options = LogOptions {
        probe: Probe(Some(Arc::new(move |step| {
            if step == Step::Flushed
                && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 7 == 3
            {
                into.lock().unwrap().push(copy(&from));
            }
            Ok(())
        }))),
        ..LogOptions::default()
    };
    let log = folder.try_open(&options).unwrap();
    log.cast(b"vote");
    for index in 0..30 {
        log.put(entries(1, index * 5..index * 5 + 5, 2000));
    }
    drop(log);
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    assert!(copies.len() >= 3);
    let mut before = 0;
    for copy in copies {
        let log = copy.open();
        let next = log.ends().last.map_or(0, |(_, index)| index + 1);
        assert!(next > before, "each copy holds more than the one before");
        assert_eq!(log.all(), entries(1, 0..next, 2000));
        before = next;
    }
}

fn copy(from: &Path) -> Folder {
    let to = Folder::new();
    fs::create_dir_all(to.path().join("log/blobs")).unwrap();
    for name in ["log.mark", "vote", "log/conf", "log/db"] {
        fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    to
}
