//! Tiles as they are sent and read: hashes side by side, entries with their lengths before them.

use super::merkle::Hash;

/// The bytes of a hash tile.
pub fn hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    let whole = rest.is_empty() && hashes.len() == usize::from(width);
    whole.then(|| hashes.to_vec())
}

/// The entries of a bundle; none if it does not hold exactly so many.
pub fn entries(bytes: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    for _ in 0..width {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length)?;
        entries.push(entry);
        rest = after;
    }
    rest.is_empty().then_some(entries)
}
