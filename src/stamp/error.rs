//! Why a stamp, or a set of keys, cannot be used; deny on each.

/// Why a stamp says nothing. No message repeats anything of the stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// It is no stamp at all, or breaks a rule of its form.
    #[error("not a stamp: {0}")]
    Malformed(&'static str),
    /// No key of the set has the id that it names: it is forged, of another cluster, or the set is out of date.
    #[error("no known key has signed this stamp")]
    UnknownKey,
    /// The key that it names has not signed it.
    #[error("the stamp's signature is wrong")]
    BadSignature,
    /// It was signed by a key of the set for another cluster.
    #[error("the stamp is of another cluster")]
    OtherCluster,
    /// It was made more than a minute in the future: a clock is wrong.
    #[error("the stamp was made in the future")]
    NotYetValid,
    /// Its time is over.
    #[error("the stamp has expired")]
    Expired,
}

/// Why a set of keys cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the keys of a cluster: {0}")]
pub struct KeySetError(pub &'static str);
