//! The exit statuses of the program, all of them.

/// Done; of `check` and `stamp verify`: ALLOW.
pub const OK: u8 = 0;
/// Something else went wrong; of `health`: the node does not serve; of `demo` and `probe`: a promise did not hold; of `verify`: it proves nothing.
pub const FAILED: u8 = 1;
/// Of `cluster status`: the cluster raises an alarm; of `doctor`: something has to be mended.
pub const ALARM: u8 = 2;
/// Of `check`: DENY; of `stamp verify`: DENY, or the stamp does not count.
pub const DENIED: u8 = 3;
/// A flag, an argument or a setting that cannot be used (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// What was given is not right: an unknown purpose or namespace, a bad identifier, refused rows (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// No node could be reached, or none can answer now; nothing was done (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// It may or may not have been done, or it will fare better later: run it again with the same request id
/// (`EX_TEMPFAIL`).
pub const TEMPORARY: u8 = 75;
/// Refused: not permitted, or the cluster's state forbids it (`EX_NOPERM`).
pub const REFUSED: u8 = 77;

/// The list that stands under every `--help`.
pub const HELP: &str = "\
Exit status:
   0  done; of `check` and `stamp verify`: ALLOW
   1  something else went wrong; of `health`: the node does not serve; of `verify`: it proves nothing; of `probe`: a promise did not hold
   2  of `cluster status`: the cluster raises an alarm; of `doctor`: something has to be mended
   3  of `check`: DENY; of `stamp verify`: DENY, or the stamp does not count
  64  a flag, an argument or a setting that cannot be used
  65  bad data: an unknown purpose or namespace, a bad identifier, refused rows
  69  no node could be reached or none can answer now; nothing was done
  75  it may or may not have been done: run it again with the same request id
  77  refused: not permitted, or the cluster's state forbids it
Every status but 0 means: do not process.";
