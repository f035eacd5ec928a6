//! A frame for small files: what it is, the format's number, the contents, and a CRC32C over all of it.

use bytes::{Buf, BufMut};

/// Puts contents into a frame.
pub(super) fn encode(kind: [u8; 4], format: u32, contents: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(contents.len() + 12);
    framed.put_slice(&kind);
    framed.put_u32(format);
    framed.put_slice(contents);
    let crc = crc32c::crc32c(&framed);
    framed.put_u32(crc);
    framed
}

/// Takes the contents out of a frame, or says what is wrong with it, in words that follow the file's name.
pub(super) fn decode(kind: [u8; 4], format: u32, framed: &[u8]) -> Result<&[u8], String> {
    let Some((body, mut crc)) = framed.split_last_chunk::<4>().map(|(b, c)| (b, &c[..])) else {
        return Err("it is cut off".to_owned());
    };
    if crc.get_u32() != crc32c::crc32c(body) {
        return Err("it does not match its checksum".to_owned());
    }
    let Some((found, mut body)) = body.split_first_chunk::<4>() else {
        return Err("it is cut off".to_owned());
    };
    if *found != kind {
        return Err("it is not the file that its name says".to_owned());
    }
    match body.try_get_u32() {
        Ok(found) if found == format => Ok(body),
        Ok(found) => Err(format!(
            "it has format {found}, and this program knows format {format}: run the program that wrote it"
        )),
        Err(_) => Err("it is cut off".to_owned()),
    }
}
