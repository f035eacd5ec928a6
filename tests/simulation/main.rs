//! Whole nodes in a simulated network with a simulated clock: real code, disks in memory, no sockets.

mod leader_cut_off;
mod world;
