//! Takes an input apart: one number, or pieces that each have their length before them.

/// The first byte, which mostly says what the rest is, and the rest.
pub(super) fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first), rest))
}

/// Pieces with their lengths (16 bits, big-endian) before them. A last one that is cut short goes as far as there is.
pub(super) fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        data = rest;
        Some(piece)
    })
}
