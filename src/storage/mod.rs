//! Everything that a node keeps on disk.

pub mod data_folder;
pub mod files;
mod frame;
pub mod journal;
pub mod memory;
pub mod snapshot;
