//! Random operations with restarts, held against a naive model; and what sled's files grow to.

use super::super::*;
use super::support::*;

/// The log as anyone would write it down.
#[derive(Default)]
struct Model {
    purged: Option<Position>,
    entries: Vec<LogEntry>,
    vote: Option<Bytes>,
}

impl Model {
    fn next(&self) -> u64 {
        let last = self.entries.last().map(LogEntry::position).or(self.purged);
        last.map_or(0, |(_, index)| index + 1)
    }

    fn term(&self) -> u64 {
        let last = self.entries.last().map(LogEntry::position).or(self.purged);
        last.map_or(1, |(term, _)| term)
    }

    fn holds(&self, log: &dyn Log) {
        let last = self.entries.last().map(LogEntry::position).or(self.purged);
        assert_eq!(
            log.ends(),
            LogEnds {
                purged: self.purged,
                last
            }
        );
        assert_eq!(log.vote(), self.vote);
        assert_eq!(log.read(0..u64::MAX, usize::MAX).unwrap(), self.entries);
    }
}

/// Does `steps` random operations; `restart` is called between some of them.
fn play(
    seed: u64,
    steps: usize,
    longest: u64,
    mut log: Arc<dyn Log>,
    restart: impl Fn(Arc<dyn Log>) -> Arc<dyn Log>,
) {
    let mut dice = Dice(seed);
    let mut model = Model {
        vote: log.vote(),
        ..Model::default()
    };
    let mut told = Vec::new();
    for step in 0..steps {
        let (done, tell) = waiter();
        told.push(tell);
        match dice.roll(20) {
            0..=11 => {
                let mut term = model.term();
                let entries: Vec<_> = (model.next()..model.next() + dice.roll(20))
                    .map(|index| {
                        term += u64::from(dice.roll(20) == 0);
                        let most = if dice.roll(10) == 0 { longest } else { 150 };
                        entry(term, index, usize::try_from(dice.roll(most)).unwrap())
                    })
                    .collect();
                model.entries.extend(entries.iter().cloned());
                log.append(entries, done).unwrap();
            }
            12..=13 => {
                let back = dice.roll(30).min(model.next());
                let after = (model.next() - back).checked_sub(1);
                model.entries.retain(|entry| Some(entry.index) <= after);
                log.truncate_after(after, done);
            }
            14 => {
                let past = dice.roll(25);
                let first = model.purged.map_or(0, |(_, index)| index + 1);
                let index = first + past;
                let upto = match model.entries.iter().find(|entry| entry.index == index) {
                    Some(entry) => entry.position(),
                    None => (model.term(), index.max(model.next())),
                };
                model.entries.retain(|entry| entry.index > upto.1);
                model.purged = Some(upto);
                log.purge(upto, done);
            }
            15 => {
                let vote = Bytes::from(format!("vote {step}"));
                model.vote = Some(vote.clone());
                log.save_vote(vote, done);
            }
            16 => {
                for told in told.drain(..told.len() - 1) {
                    wait(&told).unwrap();
                }
                told.clear();
                drop(done);
                model.holds(&*log);
                log = restart(log);
                model.holds(&*log);
            }
            _ => {
                drop(done);
                told.pop();
                let start = dice.roll(model.next() + 3);
                let end = start + dice.roll(40);
                let budget = usize::try_from(dice.roll(3000)).unwrap();
                let got = log.read(start..end, budget).unwrap();
                let held = model
                    .entries
                    .iter()
                    .filter(|entry| (start..end).contains(&entry.index));
                let mut sum = 0;
                let expected: Vec<_> = held
                    .enumerate()
                    .take_while(|(at, entry)| {
                        sum += entry.payload.len();
                        *at == 0 || sum <= budget
                    })
                    .map(|(_, entry)| entry.clone())
                    .collect();
                assert_eq!(got, expected, "reading {start}..{end} in step {step}");
            }
        }
    }
    for told in told {
        wait(&told).unwrap();
    }
    model.holds(&*log);
    model.holds(&*restart(log));
}

fn play_on_disk(seed: u64, steps: usize, longest: u64, options: &LogOptions) {
    let folder = Folder::new();
    let open = || -> Arc<dyn Log> {
        let log = folder.try_open(options).unwrap();
        if log.vote().is_none() {
            log.cast(b"vote");
        }
        Arc::new(log)
    };
    let log = open();
    let restart = |log: Arc<dyn Log>| {
        drop(log);
        open()
    };
    play(seed, steps, longest, log, restart);
}

#[test]
fn the_log_on_disk_follows_the_model() {
    for seed in 0..6 {
        play_on_disk(seed, 250, 3000, &small());
    }
}

#[test]
fn the_log_on_disk_follows_the_model_at_real_sizes() {
    let options = LogOptions {
        recent_bytes: 100 << 10,
        ..LogOptions::default()
    };
    for seed in 100..102 {
        play_on_disk(seed, 150, 300 << 10, &options);
    }
}

#[test]
fn the_log_in_memory_follows_the_model() {
    for seed in 0..30 {
        let log = MemoryLog::new();
        log.cast(b"vote");
        play(seed, 300, 3000, Arc::new(log.clone()), |dying| {
            drop(dying);
            log.crash();
            Arc::new(log.clone())
        });
    }
}

#[test]
fn records_of_the_largest_size_never_become_blobs() {
    let folder = Folder::new();
    let log = folder.open();
    log.cast(b"vote");
    let mut dice = Dice(5);
    let mut next = 0;
    for round in 0..12 {
        for _ in 0..6 {
            log.put(entries(1 + round, next..next + 4, (120 << 10) - 60));
            next += 4;
        }
        let back = dice.roll(20);
        next -= back;
        log.cut(Some(next - 1));
        if round % 3 == 2 {
            log.drop_upto((log.term_at(next - 8).unwrap(), next - 8));
        }
    }
    drop(log);
    assert_eq!(folder.open().ends().last.unwrap().1, next - 1);
}

#[test]
fn the_file_stays_in_proportion_to_what_the_log_holds() {
    let folder = Folder::new();
    let log = folder.open_small();
    log.cast(b"vote");
    let (mut early, mut late) = (0, 0);
    for round in 0..100 {
        for batch in 0..10 {
            let next = round * 200 + batch * 20;
            log.put(entries(1, next..next + 20, 140));
        }
        // Some 5 rounds of 30 KB are held at a time.
        if round >= 4 {
            log.drop_upto((1, (round - 3) * 200));
        }
        let db = folder.path().join("log/db");
        let size = std::fs::metadata(db).unwrap().len();
        match round {
            10..50 => early = size.max(early),
            50.. => late = size.max(late),
            _ => {}
        }
    }
    assert!(
        late <= early + early / 2,
        "{late} bytes in the second half, {early} in the first"
    );
}
