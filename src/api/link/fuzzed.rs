//! What the fuzz target `links` does: links that nobody made, and those that the cluster's key signed whatever they say.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;

use super::{
    LinkKey,
    token::{decode, encode},
};

/// A link is taken only as the cluster made it: what is read is written as it was, and no other key takes it.
pub fn links(data: &[u8]) {
    let key = LinkKey::derive(&[7; 32]);
    let text = match data.split_first() {
        None => return,
        Some((0, text)) => String::from_utf8_lossy(text).into_owned(),
        Some((_, said)) => {
            if let Some(link) = decode(said) {
                // Of what no node signs, a link without tokens above all, nothing has to hold.
                let written = encode(&link);
                assert!(written.is_none_or(|it| it == said), "written otherwise");
            }
            let mac = key.mac().chain_update(said).finalize().into_bytes();
            URL_SAFE_NO_PAD.encode([said, &mac[..16]].concat())
        }
    };
    let Some(link) = key.read(&text) else { return };
    let written = key.write(&link);
    assert!(written.is_none_or(|it| it == text), "written otherwise");
    assert_eq!(LinkKey::derive(&[8; 32]).read(&text), None);
    for at in [0, text.len() / 2, text.len() - 1] {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap_or_default();
        assert_eq!(key.read(&changed), None, "changed at {at}");
    }
}
