//! Randomness that a seed repeats.

use std::sync::{Mutex, PoisonError};

use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};
use refrain::clock::Entropy;
use sha2::{Digest as _, Sha256};

/// A stream of its own for each user of a seed, so that one user's draws do not move another's.
pub fn stream(seed: u64, user: &str) -> StdRng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(user);
    StdRng::from_seed(hash.finalize().into())
}

/// A node's random source.
pub struct Seeded(Mutex<StdRng>);

impl Seeded {
    /// The source of one life of one node.
    pub fn new(seed: u64, node: usize, life: u64) -> Self {
        Self(Mutex::new(stream(
            seed,
            &format!("node {node}, life {life}"),
        )))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut random = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        random.fill_bytes(bytes);
    }
}
