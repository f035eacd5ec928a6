//! Many seeds, each in a process of its own, two at a time; a failure tells the command that replays it.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::alone;
use crate::faults::KINDS;
use crate::invariants::tally::Tally;
use crate::run::{Summary, run};

/// Seeds in an ordinary `cargo test`.
const SEEDS: u64 = 100;
/// Seconds of faults that each has there, in simulated time.
const SECONDS: u64 = 8;
/// Processes at a time.
const AT_ONCE: usize = 2;
/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Before the summary, on the standard output of a process that ran a seed.
const MARK: &str = "summary: ";

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}

/// What a build that is broken on purpose has to say: once its failures have said all of it, no more seeds are needed.
fn until() -> Vec<String> {
    let words = std::env::var("UNTIL").unwrap_or_default();
    let words = words.split('|').filter(|words| !words.is_empty());
    words.map(str::to_owned).collect()
}

fn seconds() -> u64 {
    number("SECONDS").unwrap_or(SECONDS)
}

#[test]
#[ignore = "runs the one seed that SEED names; the other tests start it"]
fn one_seed() {
    alone::must_repeat();
    let seed = number("SEED").expect("SEED=<number> names the seed to run");
    if !alone::is() {
        let status = alone::process("seeds::one_seed").status().unwrap();
        assert!(status.success(), "seed {seed}");
        return;
    }
    let told = std::env::var_os("TOLD").is_some();
    let summary = run(seed, Duration::from_secs(seconds()), told);
    println!("\n{MARK}{}", serde_json::to_string(&summary).unwrap());
}

/// A process that runs a seed.
struct Running {
    seed: u64,
    child: Child,
    since: Instant,
    output: thread::JoinHandle<(String, String)>,
}

/// How the process of a seed ended.
type Ended = Result<Summary, String>;

impl Running {
    fn start(seed: u64) -> Self {
        let mut child = alone::process("seeds::one_seed")
            .env("SEED", seed.to_string())
            .env("SECONDS", seconds().to_string())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let output = thread::spawn(move || {
            let errors = thread::spawn(move || {
                let mut text = String::new();
                err.read_to_string(&mut text).map(|_| text)
            });
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            (text, errors.join().unwrap().unwrap())
        });
        Self {
            seed,
            child,
            since: Instant::now(),
            output,
        }
    }

    /// Whether it has come to an end, by itself or because it took too long.
    fn over(&mut self) -> bool {
        if self.child.try_wait().unwrap().is_some() {
            return true;
        }
        if self.since.elapsed() > PATIENCE {
            self.child.kill().unwrap();
            return true;
        }
        false
    }

    fn end(mut self) -> (u64, Ended) {
        let hung = self.since.elapsed() > PATIENCE;
        let status = self.child.wait().unwrap();
        let (out, err) = self.output.join().unwrap();
        let summary = out.lines().find_map(|line| line.strip_prefix(MARK));
        let summary = summary.map(|json| serde_json::from_str(json).unwrap());
        let ended = match summary {
            Some(summary) if status.success() => Ok(summary),
            _ => Err(format!(
                "seed {} failed{}; this replays it:\n  SEED={} SECONDS={} cargo test{} --test simulation -- --exact \
                 seeds::one_seed --ignored --nocapture\n(TOLD=1 prints every observation, SIMULATION_LOG=refrain=debug the logs)\n{err}",
                self.seed,
                if hung { ": it hung" } else { "" },
                self.seed,
                seconds(),
                if cfg!(debug_assertions) {
                    ""
                } else {
                    " --release"
                },
            )),
        };
        (self.seed, ended)
    }
}

/// Runs seeds, a few at a time, and hands each result on as it comes. After an answer that is [`ControlFlow::Break`] none begins.
fn run_all(
    seeds: impl IntoIterator<Item = u64>,
    mut each: impl FnMut(u64, Ended) -> ControlFlow<()>,
) {
    let mut seeds = seeds.into_iter();
    let mut over = false;
    let mut running: Vec<Running> = Vec::new();
    loop {
        while !over
            && running.len() < AT_ONCE
            && let Some(seed) = seeds.next()
        {
            running.push(Running::start(seed));
        }
        if running.is_empty() {
            return;
        }
        match running.iter_mut().position(Running::over) {
            Some(ended) => {
                let (seed, ended) = running.swap_remove(ended).end();
                over |= each(seed, ended).is_break();
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn a_seed_repeats_bit_for_bit_in_another_process() {
    alone::must_repeat();
    for seed in [1, 2] {
        let mut traces = Vec::new();
        run_all([seed, seed], |_, ended| {
            let summary = ended.unwrap_or_else(|why| panic!("{why}"));
            traces.push((summary.trace, summary.tally.operations));
            ControlFlow::Continue(())
        });
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

#[test]
fn many_seeds_hold_every_invariant() {
    alone::must_repeat();
    let (from, count) = (
        number("FROM").unwrap_or(1),
        number("SEEDS").unwrap_or(SEEDS),
    );
    let mut unsaid = until();
    let sought = !unsaid.is_empty();
    let start = Instant::now();
    let mut total = Total::default();
    run_all(from..from + count, |seed, ended| {
        match ended {
            Ok(summary) => total.add(&summary),
            Err(why) => {
                eprintln!("{why}");
                unsaid.retain(|words| !why.contains(words.as_str()));
                total.failed.push(seed);
            }
        }
        let done = total.seeds + total.failed.len();
        if done.is_multiple_of(20) {
            let (operations, failed) = (total.tally.operations, total.failed.len());
            let spent = start.elapsed().as_secs();
            eprintln!(
                "{done} of {count} seeds in {spent} s: {operations} operations, {failed} failed"
            );
        }
        if sought && unsaid.is_empty() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    total.print(start.elapsed());
    assert!(total.failed.is_empty(), "seeds {:?} failed", total.failed);
    if count >= SEEDS {
        total.assert_covers();
    }
}

/// How many changes seeds acknowledge on average, at the least.
const ACKNOWLEDGED_EACH: usize = 30;

/// What many seeds came to.
#[derive(Default)]
struct Total {
    seeds: usize,
    failed: Vec<u64>,
    tally: Tally,
    events: u64,
    terms: u64,
    installed: usize,
    slowest_ms: u64,
}

impl Total {
    fn add(&mut self, summary: &Summary) {
        self.seeds += 1;
        self.tally.add(&summary.tally);
        self.events += summary.events;
        self.terms += summary.terms;
        self.installed += summary.installed;
        self.slowest_ms = self.slowest_ms.max(summary.served_after_ms);
    }

    fn print(&self, spent: Duration) {
        eprintln!(
            "{} seeds held in {} s, {} failed: {} operations ({} changes acknowledged, {} reads answered, {} unknown, {} failed for certain), \
             {} events, {} terms, {} snapshots installed; served again after {} ms at most",
            self.seeds,
            spent.as_secs(),
            self.failed.len(),
            self.tally.operations,
            self.tally.acknowledged,
            self.tally.answered,
            self.tally.unknown,
            self.tally.failed,
            self.events,
            self.terms,
            self.installed,
            self.slowest_ms,
        );
        for (kind, (times, answers)) in &self.tally.faults {
            eprintln!("  {kind}: {times} times, {answers} answers meanwhile");
        }
    }

    /// A fault that never fired, or while which nothing was answered, has shown nothing.
    fn assert_covers(&self) {
        for kind in KINDS {
            let (times, answers) = self.tally.faults.get(kind).copied().unwrap_or_default();
            assert!(
                times > 0 && answers > 0,
                "{kind}: {times} times, {answers} answers meanwhile"
            );
        }
        assert!(self.installed > 0, "no snapshot was installed");
        let (acknowledged, seeds) = (self.tally.acknowledged, self.seeds);
        assert!(
            acknowledged >= ACKNOWLEDGED_EACH * seeds,
            "{acknowledged} changes acknowledged in {seeds} seeds"
        );
    }
}
