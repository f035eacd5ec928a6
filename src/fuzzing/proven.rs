//! Signed notes, verifier keys, receipts, paths of tiles: what verifiers read.

use super::input::choice;
use crate::{
    proof::{Checkpoint, JournalSigner, VerifierKey, VerifierKeys, path::Resource},
    receipt,
};

/// The journal of the kept inputs.
const ORIGIN: &str = "refrain/05050505050505050505050505050505";

fn keys() -> VerifierKeys {
    VerifierKeys::new([JournalSigner::new(ORIGIN, &[1; 32]).verifier_key()])
}

/// Notes that nobody signed, lists of keys, and paths. What is accepted is accepted as it is and in no way changed.
pub fn notes(data: &[u8]) {
    let Some((kind, bytes)) = choice(data) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match kind {
        0 => {
            let Ok((checkpoint, key)) = Checkpoint::verify(text, &keys()) else {
                return;
            };
            assert_eq!(key.origin(), ORIGIN);
            let other = VerifierKeys::new([JournalSigner::new(ORIGIN, &[2; 32]).verifier_key()]);
            assert!(Checkpoint::verify(text, &other).is_err(), "any key will do");
            let again = checkpoint.sign(&JournalSigner::new(ORIGIN, &[1; 32]));
            let again = again.expect("what was signed before");
            let (read, _) = Checkpoint::verify(&again, &keys()).expect("just signed");
            assert_eq!(read, checkpoint);
        }
        1 => {
            if let Ok(keys) = VerifierKeys::read(text) {
                for key in keys.iter() {
                    let again: VerifierKey = key.to_string().parse().expect("as it is written");
                    assert_eq!(again, *key);
                }
            }
        }
        _ => {
            if let Some(resource) = Resource::parse(text) {
                assert_eq!(resource.path(), text, "two paths of one resource");
            }
        }
    }
}

/// Receipts as JSON. One that is believed is the only one of its kind.
pub fn receipts(data: &[u8]) {
    let Ok(verified) = receipt::verify_json(data, &keys()) else {
        return;
    };
    assert!(verified.event.revision <= verified.checkpoint.size);
    let nobody = VerifierKeys::new([JournalSigner::new(ORIGIN, &[2; 32]).verifier_key()]);
    assert!(
        receipt::verify_json(data, &nobody).is_err(),
        "any key will do"
    );
}
