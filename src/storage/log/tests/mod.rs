//! Tests of the log: its formats, its behaviour against a model, damage, crashes, failures and order.

mod crash;
mod damage;
mod failure;
mod formats;
mod memory;
mod model;
mod order;
mod store;
mod support;
