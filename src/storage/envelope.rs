//! The wrapper of small files: a kind, a format version and a checksum around a few bytes.

use std::path::Path;

use super::files::Files;
use super::refused::{Cause, Refused};

/// Where a checksum or a length does not fit, the file is damaged; this says how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EnvelopeError {
    #[error("it is {0} bytes long, too short to be whole")]
    TooShort(usize),
    #[error("it does not begin with the mark of its kind")]
    OtherKind,
    #[error("its checksum does not match its content")]
    Checksum,
    #[error("it has format {0}, which this version of refrain does not know")]
    Format(u16),
}

/// Kind (4 bytes), format (2), body, CRC32C of all before it (4). Numbers are big-endian.
const OVERHEAD: usize = 4 + 2 + 4;

/// Wraps `body`.
pub(super) fn wrap(kind: [u8; 4], format: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(OVERHEAD + body.len());
    bytes.extend_from_slice(&kind);
    bytes.extend_from_slice(&format.to_be_bytes());
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// The body of a wrapped file, if it is whole and of this kind and format.
pub(super) fn unwrap(kind: [u8; 4], format: u16, bytes: &[u8]) -> Result<&[u8], EnvelopeError> {
    if bytes.len() < OVERHEAD {
        return Err(EnvelopeError::TooShort(bytes.len()));
    }
    let Some((rest, crc)) = bytes.split_last_chunk::<4>() else {
        return Err(EnvelopeError::TooShort(bytes.len()));
    };
    if crc32c::crc32c(rest) != u32::from_be_bytes(*crc) {
        return Err(EnvelopeError::Checksum);
    }
    let Some((found, rest)) = rest.split_first_chunk::<4>() else {
        return Err(EnvelopeError::TooShort(bytes.len()));
    };
    if *found != kind {
        return Err(EnvelopeError::OtherKind);
    }
    let Some((version, body)) = rest.split_first_chunk::<2>() else {
        return Err(EnvelopeError::TooShort(bytes.len()));
    };
    match u16::from_be_bytes(*version) {
        version if version == format => Ok(body),
        version => Err(EnvelopeError::Format(version)),
    }
}

/// The body of a wrapped file of the data folder; `None` where there is no such file.
///
/// # Errors
///
/// [`Refused`], where it is damaged or of a later version.
pub(super) fn load(
    files: &dyn Files,
    name: &str,
    kind: [u8; 4],
    format: u16,
) -> Result<Option<Vec<u8>>, Refused> {
    let read = files.read(Path::new(name));
    let Some(bytes) = read.map_err(|error| Refused::io(name, error))? else {
        return Ok(None);
    };
    match unwrap(kind, format, &bytes) {
        Ok(body) => Ok(Some(body.to_vec())),
        Err(EnvelopeError::Format(found)) if found > format => {
            Err(Refused::new(name, Cause::LaterFormat(found)))
        }
        Err(error) => Err(Refused::damaged(name, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_body_comes_back() {
        for body in [&b""[..], b"x", &[7; 300]] {
            let bytes = wrap(*b"TEST", 3, body);
            assert_eq!(unwrap(*b"TEST", 3, &bytes), Ok(body));
        }
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let bytes = wrap(*b"TEST", 3, b"some body");
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            assert_eq!(
                unwrap(*b"TEST", 3, &damaged),
                Err(EnvelopeError::Checksum),
                "byte {place}"
            );
            assert!(unwrap(*b"TEST", 3, &bytes[..place]).is_err());
        }
    }

    #[test]
    fn another_kind_or_format_is_told_apart_from_damage() {
        let bytes = wrap(*b"TEST", 3, b"body");
        assert_eq!(unwrap(*b"VOTE", 3, &bytes), Err(EnvelopeError::OtherKind));
        assert_eq!(unwrap(*b"TEST", 2, &bytes), Err(EnvelopeError::Format(3)));
    }
}
