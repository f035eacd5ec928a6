//! Tests against real `refrain` processes on loopback: fail-over, recovery, membership, refusals to start.

mod failover;
mod membership;
mod recovery;
mod refusals;
mod support;
