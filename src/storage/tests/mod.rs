//! The whole storage of a node through power cuts: its writes are recorded, and it is opened on every state that a disk may
//! be left in.
//!
//! After ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014), which replays a recorded workload
//! under an abstract model of what a filesystem may reorder, and `CrashMonkey` and B3 (Mohan et al., "Finding Crash-Consistency
//! Bugs with Bounded Black-Box Crash Testing", OSDI 2018), which bound the workload and look at every crash of it. The model
//! here is weaker than any real filesystem: see [`disk`]. The workload is drawn from a seed, and so are the states; how
//! the storage's threads take turns is not, so each run looks at others.
//!
//! `CRASH_STATES=2500 cargo test --lib storage::tests` makes the long run.

mod disk;
mod node;
mod trace;
mod workload;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use disk::{CrashDisk, CrashState};
use node::recover;
use trace::Step;
use workload::Workload;

/// How many states are opened where nothing else is asked for.
const STATES: usize = 300;
/// How many workloads they come from.
const WORKLOADS: u64 = 3;
/// So few changes in the cache are tried in every combination.
const ALL_SUBSETS_OF: usize = 4;
/// Of more, so many combinations are drawn.
const DRAWN: usize = 6;
/// One state in so many is also written to, closed and opened again.
const GOES_ON: usize = 8;

#[test]
fn whatever_a_power_cut_leaves_holds_all_that_was_acknowledged() {
    let asked = std::env::var("CRASH_STATES").ok();
    let wanted: usize = asked.map_or(STATES, |text| text.parse().unwrap());
    let per_workload = wanted.div_ceil(usize::try_from(WORKLOADS).unwrap());
    let mut tally = Tally::default();
    for seed in 0..WORKLOADS {
        let workload = workload::run(seed);
        look_at_all(seed, &workload, per_workload, &mut tally);
    }
    let mut err = std::io::stderr();
    let _ = writeln!(
        err,
        "crash states: {} opened, all different, from {} recorded steps; {} cuts left at most {ALL_SUBSETS_OF} changes \
         in the cache and were tried in full; nothing acknowledged was lost, none was refused",
        tally.opened, tally.steps, tally.in_full
    );
    assert!(tally.opened >= wanted, "{} of {wanted}", tally.opened);
}

#[derive(Default)]
struct Tally {
    opened: usize,
    steps: usize,
    in_full: usize,
}

/// Cuts the power at places spread over the whole workload, until `wanted` different states were opened. Where one pass
/// does not give as many, the next goes between its places, and in the end all have been looked at.
///
/// A place is right before anything but a block: what a cut between two blocks leaves is one of the combinations there.
fn look_at_all(seed: u64, workload: &Workload, wanted: usize, tally: &mut Tally) {
    let steps = &workload.steps;
    let is_place = |step: &Step| !matches!(step, Step::Block { .. } | Step::Later);
    let places = steps.iter().filter(|step| is_place(step)).count();
    let mut dice = StdRng::seed_from_u64(seed);
    let mut opened = HashSet::new();
    let stride = (places * (DRAWN + 2) / wanted).max(1);
    for offset in 0..stride {
        let mut disk = CrashDisk::default();
        let mut place = 0;
        for (number, step) in steps.iter().enumerate() {
            if is_place(step) && place % stride == offset {
                tally.in_full += usize::from(disk.pending() <= ALL_SUBSETS_OF);
                for state in states(&disk, &mut dice) {
                    if opened.insert(state.digest()) {
                        let goes_on = opened.len() % GOES_ON == 0;
                        look_at(seed, number, workload, &state, goes_on);
                    }
                }
            }
            place += usize::from(is_place(step));
            disk.apply(step);
        }
        if opened.len() >= wanted {
            break;
        }
    }
    tally.opened += opened.len();
    tally.steps += steps.len();
}

/// What the disk may be left in: all that was not synced lost, all of it kept, and combinations.
fn states(disk: &CrashDisk, dice: &mut StdRng) -> Vec<CrashState> {
    let pending = disk.pending();
    if pending <= ALL_SUBSETS_OF {
        let all = 0..1_u32 << pending;
        return all
            .map(|subset| disk.crash(|change| subset >> change & 1 == 1))
            .collect();
    }
    // The reorderings that bugs are made of: the last change without those before it, and all but the first.
    let last = pending - 1;
    let mut states = vec![
        disk.crash(|_| false),
        disk.crash(|_| true),
        disk.crash(|change| change == last),
        disk.crash(|change| change != 0),
    ];
    // In the order in which they were made, and then in any.
    let prefix = dice.random_range(1..pending);
    states.push(disk.crash(|change| change < prefix));
    for _ in 1..DRAWN {
        let odds = dice.random_range(0.05..0.95);
        states.push(disk.crash(|_| dice.random_bool(odds)));
    }
    states
}

fn look_at(seed: u64, step: usize, workload: &Workload, state: &CrashState, goes_on: bool) {
    let folder = workload::new_folder();
    state.write_to(folder.path());
    if let Err(why) = hold(folder.path(), workload, state, goes_on) {
        let what = format!("{:?}", workload.steps[step]);
        let what: String = what.chars().take(80).collect();
        // When it happens again, the threads of the storage need not run as they did: keep what they left.
        let kept = workload::new_folder().keep();
        state.write_to(&kept);
        panic!(
            "workload {seed}, before step {step} ({what}), kept in {}: {why}",
            kept.display()
        );
    }
}

/// Opens a state and holds it against what was acknowledged.
fn hold(
    folder: &Path,
    workload: &Workload,
    state: &CrashState,
    goes_on: bool,
) -> Result<(), String> {
    let refused = |text| format!("refused, though nothing was damaged: {text}");
    let mut node = recover(folder).map_err(refused)?;
    workload.history.allows(state.told(), &node.stand)?;
    if goes_on {
        node.go_on();
        let expected = node.stand.clone();
        drop(node);
        let again = recover(folder).map_err(refused)?;
        if again.stand != expected {
            return Err("it opens, but does not go on".to_owned());
        }
    }
    Ok(())
}
