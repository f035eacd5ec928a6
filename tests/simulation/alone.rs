//! Processes for runs that repeat: this very program once more, with the machine's clocks stopped.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Set in such a process.
const MARK: &str = "SIMULATION_ALONE";

/// Whether this process is one.
pub fn is() -> bool {
    std::env::var_os(MARK).is_some()
}

/// What a run needs to repeat, beyond its seed: a scheduler that takes a seed, and clocks that stand still.
#[track_caller]
pub fn must_repeat() {
    let scheduler_takes_a_seed = cfg!(tokio_unstable);
    assert!(
        scheduler_takes_a_seed,
        "built without `--cfg tokio_unstable`, so a seed would not repeat. The flag stands in .cargo/config.toml, which RUSTFLAGS in \
         the environment replaces: unset it, or add the flag to it"
    );
}

/// Such a process for one test of this program.
pub fn process(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("LD_PRELOAD", still_clock())
        .env(MARK, "1");
    command
}

/// The library that stops the clocks, compiled once by the C compiler that Rust links with.
fn still_clock() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/simulation/still_clock.c"
        );
        let id = std::process::id();
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("still_clock.so");
        // Written aside: another process may be about to load it.
        let aside = library.with_extension(format!("so.{id}"));
        let compiled = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&aside)
            .arg(source)
            .status()
            .expect("a C compiler, which Rust needs to link (CC names another than cc)");
        assert!(compiled.success(), "cannot compile {source}");
        std::fs::rename(&aside, &library).unwrap();
        library
    })
}
