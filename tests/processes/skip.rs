//! Leaving out a test that needs something from outside, so that it shows.

use std::io::Write as _;

/// Says that a test is left out, past the harness that keeps what passing tests print. Where `TEST_REQUIRE` names what
/// is missing, as `.ci/run` has it do, the test fails instead.
pub fn skip(what: &str, why: &str) {
    let required = std::env::var("TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|one| one == what),
        "{what} is required: {why}"
    );
    let _ = writeln!(std::io::stderr(), "SKIPPED ({what}): {why}");
}
