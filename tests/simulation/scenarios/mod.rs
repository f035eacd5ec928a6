//! Known ways to fail, each as a story of its own that is told the same way every time.

mod leader_cut_off;
mod stage;
