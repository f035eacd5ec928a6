//! The keys for the journal's checkpoints: one in use for each node, and none that ever was is forgotten.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

fn add(node_id: u64, byte: u8) -> Body {
    Body::AddJournalKey(AddJournalKey {
        node_id,
        public_key: [byte; 32],
    })
}

fn keys(state: &State) -> Vec<(u64, u8, Revision, Option<Revision>)> {
    let keys = state.journal_keys().iter();
    keys.map(|key| {
        let JournalKey {
            node_id,
            public_key,
            added_at,
            retired_at,
        } = *key;
        (node_id, public_key[0], added_at, retired_at)
    })
    .collect()
}

#[test]
fn a_key_is_retired_by_the_next_or_when_its_node_leaves_and_stays_known() {
    let mut driven = Driven::new();
    let before = driven.state.revision();
    let empty = driven.state.hash();
    made(&driven.send(add(1, 1)));
    let again = driven.send(add(1, 1)).unwrap();
    assert!(matches!(again, Outcome::Registry { changed: false, .. }));
    assert_eq!(refused(&driven.send(add(2, 1))), "JOURNAL_KEY_INVALID");
    made(&driven.send(add(2, 2)));
    made(&driven.send(add(1, 3)));
    assert_eq!(refused(&driven.send(add(1, 1))), "JOURNAL_KEY_INVALID");
    let retire = || Body::RetireJournalKey(RetireJournalKey { node_id: 2 });
    made(&driven.send(retire()));
    let again = driven.send(retire()).unwrap();
    assert!(matches!(again, Outcome::Registry { changed: false, .. }));
    let at = |events: u64| before + events;
    assert_eq!(
        keys(&driven.state),
        [
            (1, 1, at(1), Some(at(3))),
            (2, 2, at(2), Some(at(4))),
            (1, 3, at(3), None)
        ]
    );
    assert_eq!(driven.state.journal_key_of(2), None);
    assert_eq!(
        driven.state.journal_key_of(1).map(|key| key.public_key),
        Some([3; 32])
    );
    assert_ne!(driven.state.hash(), empty);
    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert_eq!(keys(&restored), keys(&driven.state));
    assert_eq!(restored.hash(), driven.state.hash());
}

#[test]
fn there_is_an_end_to_the_keys() {
    let mut driven = Driven::new();
    for number in 0..limits::JOURNAL_KEYS {
        let mut public_key = [9; 32];
        public_key[..8].copy_from_slice(&number.to_be_bytes());
        made(&driven.send(Body::AddJournalKey(AddJournalKey {
            node_id: 1,
            public_key,
        })));
    }
    assert_eq!(refused(&driven.send(add(1, 1))), "JOURNAL_KEY_INVALID");
    assert!(driven.state.journal_key_of(1).is_some());
}
