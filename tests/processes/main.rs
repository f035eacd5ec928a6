//! Tests against real `refrain` processes on loopback: fail-over, recovery, membership, refusals to start, damage,
//! power cuts, privacy, the probe and the doctor, proof, a shop that is watched, every way in, foreign clients, the examples, containers, traces.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod collector;
mod damage;
mod docker;
mod doctor;
mod erasure;
mod examples;
mod failover;
mod golden;
mod many_reports;
mod membership;
mod power_cuts;
mod privacy;
mod probe;
mod proof;
mod python;
mod recovery;
mod refusals;
mod shop;
mod skip;
mod support;
mod traces;
mod upgrade;
mod ways_in;
