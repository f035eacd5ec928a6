//! Power cuts: the filesystem under a real node is shut down by the kernel at a random moment, and afterwards everything is
//! there that was acknowledged.
//!
//! The shutdown is the one that filesystems test their own crash recovery with (`FS_IOC_SHUTDOWN`, xfstests): what was
//! not synced is never written. A drive that loses what it was told to flush is not simulated. Needs root, loop devices,
//! `mkfs.ext4` and `cc`. `POWER_CUTS=200 cargo test --test processes power_cuts` makes the long run.

mod loop_disk;
pub mod traffic;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loop_disk::{Cut, LoopDisk};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use traffic::{Acknowledged, Traffic, all_is_there};

use crate::skip::skip;
use crate::support::{Node, PATIENCE, REFRAIN, eventually, serve_args, token_key};

/// How many cuts are made where nothing else is asked for.
const CUTS: u64 = 4;
/// After so many cuts a node begins with an empty disk.
const CUTS_A_LIFE: u64 = 20;
/// One cut in so many strikes while the node starts.
const AT_START: u64 = 4;
/// So small that snapshots are made and the log is purged between two cuts.
const SMALL_LOG: [&str; 2] = ["--snapshot-log-bytes", "65536"];

/// What a run has come to.
#[derive(Default)]
struct Tally {
    cuts: u64,
    at_start: u64,
    first_starts: u64,
    acknowledged: usize,
    in_doubt: usize,
    in_doubt_and_there: usize,
    slowest_start: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_with_the_power() {
    let mut disk = match LoopDisk::make() {
        Ok(disk) => disk,
        Err(why) => return skip("power cuts", &why),
    };
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let cuts = number("POWER_CUTS").unwrap_or(CUTS);
    let seed = number("POWER_SEED").unwrap_or_else(|| rand::rng().random_range(0..1 << 32));
    say(&format!("power cuts: {cuts}, POWER_SEED={seed}"));
    let mut dice = StdRng::seed_from_u64(seed);
    let mut tally = Tally::default();
    let mut known = Acknowledged::default();
    for cut in 0..cuts {
        if cut % CUTS_A_LIFE == 0 {
            disk.format().unwrap();
            known = Acknowledged::default();
        }
        let how = if dice.random_ratio(1, 3) {
            Cut::WithJournal
        } else {
            Cut::AtOnce
        };
        let first_start = cut % CUTS_A_LIFE == 0 && cut > 0;
        if first_start || cut % AT_START == AT_START - 1 {
            cut_a_start(&mut disk, how, &mut dice).await;
            tally.at_start += 1;
            tally.first_starts += u64::from(first_start);
        } else {
            cut_a_node(&mut disk, how, &mut dice, &mut known).await;
        }
        tally.cuts += 1;
        after(&mut disk, &mut known, &mut tally).await;
        if cuts > CUTS {
            say(&tally.told());
        }
    }
    say(&tally.told());
    assert!(
        tally.acknowledged as u64 >= cuts / 2 * 20,
        "too little was acknowledged for this to say anything"
    );
}

/// Starts a node on the disk and lets it form its cluster, or go on.
async fn start(disk: &LoopDisk) -> Node {
    let key = token_key(disk.beside());
    let node = Node::start(disk.mountpoint(), &key, &SMALL_LOG).await;
    node.until_ready().await;
    node
}

/// Cuts the power while clients write.
async fn cut_a_node(disk: &mut LoopDisk, how: Cut, dice: &mut StdRng, known: &mut Acknowledged) {
    let mut node = start(disk).await;
    let traffic = Traffic::start(&node, known.lives());
    let enough = dice.random_range(40..400);
    eventually("enough is acknowledged", || {
        let so_far = traffic.acknowledged();
        async move { (so_far >= enough).then_some(()) }
    })
    .await;
    tokio::time::sleep(Duration::from_micros(dice.random_range(0..20_000))).await;
    disk.cut(how).unwrap();
    known.take(traffic.end().await);
    // Nothing tells the process but its own next write.
    eventually("the node ends by itself", || {
        let gone = !node.runs();
        async move { gone.then_some(()) }
    })
    .await;
    drop(node);
    disk.unmount().unwrap();
    disk.mount().unwrap();
}

/// Cuts the power while a node starts.
async fn cut_a_start(disk: &mut LoopDisk, how: Cut, dice: &mut StdRng) {
    let key = token_key(disk.beside());
    let log = std::fs::File::create(disk.beside().join("start.log")).unwrap();
    let mut child = Command::new(REFRAIN)
        .args(serve_args(disk.mountpoint(), &key))
        .args(["--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"])
        .args(SMALL_LOG)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(dice.random_range(0..600))).await;
    disk.cut(how).unwrap();
    // A node without anything to write need not notice.
    child.kill().unwrap();
    child.wait().unwrap();
    disk.unmount().unwrap();
    disk.mount().unwrap();
}

/// Starts a node on what the cut left, holds it against what is known, and stops it.
async fn after(disk: &mut LoopDisk, known: &mut Acknowledged, tally: &mut Tally) {
    let began = Instant::now();
    let mut node = start(disk).await;
    tally.slowest_start = tally.slowest_start.max(began.elapsed());
    let there = all_is_there(&node, known).await.unwrap_or_else(|lost| {
        let seen = node.log();
        panic!(
            "after {} cuts: {lost}\n{}\n{seen}",
            tally.cuts,
            tally.told()
        )
    });
    tally.acknowledged += known.settle();
    tally.in_doubt += there.in_doubt;
    tally.in_doubt_and_there += there.in_doubt_and_there;
    assert!(
        began.elapsed() < PATIENCE * 2,
        "the node comes back in time"
    );
    node.kill();
}

impl Tally {
    fn told(&self) -> String {
        let mut text = String::new();
        let _ = write!(
            text,
            "power cuts: {} made, {} of them while a node started ({} its first start); {} changes acknowledged, none \
             lost; {} in doubt, of which {} were there; slowest start {} ms",
            self.cuts,
            self.at_start,
            self.first_starts,
            self.acknowledged,
            self.in_doubt,
            self.in_doubt_and_there,
            self.slowest_start.as_millis(),
        );
        text
    }
}

/// Tells how it goes, past the harness that keeps what passing tests print.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
