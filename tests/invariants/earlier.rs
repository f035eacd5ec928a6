//! The highest revision that was known before a moment, found in the logarithm of how many there are.

use super::history::{Revision, Tick};

/// Revisions by when they were known, each with what it came from.
#[derive(Debug)]
pub struct Earlier<T> {
    /// By moment; each with the highest so far.
    highest: Vec<(Tick, Revision, T)>,
}

impl<T: Copy> Earlier<T> {
    /// Of moments in any order.
    pub fn new(moments: impl IntoIterator<Item = (Tick, Revision, T)>) -> Self {
        let mut highest: Vec<(Tick, Revision, T)> = moments.into_iter().collect();
        highest.sort_by_key(|(moment, ..)| *moment);
        for at in 1..highest.len() {
            let (_, before, whose) = highest[at - 1];
            if before > highest[at].1 {
                (highest[at].1, highest[at].2) = (before, whose);
            }
        }
        Self { highest }
    }

    /// The highest revision known before a moment.
    pub fn before(&self, moment: Tick) -> Option<(Revision, T)> {
        let count = self.highest.partition_point(|(at, ..)| *at < moment);
        let (_, revision, whose) = self.highest[..count].last()?;
        Some((*revision, *whose))
    }
}
