//! Snapshots: what comes back is what went in, and what is damaged does not come back.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

fn populated() -> Driven {
    let mut driven = Driven::new();
    driven.add_namespace("other").unwrap();
    driven.put(purpose("games")).unwrap();
    for n in 0..200 {
        driven
            .opt_out(&[n, n.wrapping_add(1)], &["sale", "games"])
            .unwrap();
    }
    driven.opt_in(&[3], &["sale"]).unwrap();
    let import = ImportChunk {
        import_id: request_id(START, 900),
        namespace: Namespace::default_namespace(),
        schema_version: 0,
        first_row: 0,
        rows: vec![ImportRow::Refused; 3],
    };
    driven.send(Body::ImportChunk(import)).unwrap();
    driven
}

fn restore(chunks: &[Vec<u8>]) -> Result<State, RestoreError<()>> {
    State::from_chunks(chunks.iter().cloned().map(Ok))
}

#[test]
fn an_empty_state_comes_back() {
    let state = State::default();
    let restored = restore(&state.chunks().collect::<Vec<_>>()).unwrap();
    assert_eq!(restored.hash(), state.hash());
    assert_eq!(restored.cluster_id(), None);
}

#[test]
fn all_comes_back() {
    let mut driven = populated();
    let chunks: Vec<_> = driven.state.chunks().collect();
    let mut restored = driven.clone();
    restored.state = restore(&chunks).unwrap();
    assert_eq!(restored.state.chunks().collect::<Vec<_>>(), chunks);
    assert_eq!(restored.state.hash(), driven.state.hash());
    assert_eq!(restored.state.log_time(), driven.state.log_time());
    assert_eq!(restored.state.repeats(), driven.state.repeats());
    assert_eq!(restored.opt_out(&[9], &["*"]), driven.opt_out(&[9], &["*"]));
    assert_eq!(restored.put(purpose("more")), driven.put(purpose("more")));
    assert_eq!(restored.state.hash(), driven.state.hash());
    let import = request_id(START, 900);
    let namespace = Namespace::default_namespace();
    assert_eq!(restored.state.import_next_row(&namespace, &import), 3);
}

#[test]
fn a_snapshot_is_not_changed_by_what_comes_after() {
    let mut driven = populated();
    let expected: Vec<_> = driven.state.chunks().collect();
    let chunks = driven.state.chunks();
    for n in 0..200 {
        driven.opt_out(&[n], &["*"]).unwrap();
    }
    driven.put(purpose("later")).unwrap();
    assert_eq!(chunks.collect::<Vec<_>>(), expected);
}

#[test]
fn chunks_are_small_enough() {
    let mut driven = Driven::new();
    for n in 0..30_000_u32 {
        let mut set = driven.preference(Change::OptOut, &[0], &["sale"]);
        set.tokens[0].token.bytes[..4].copy_from_slice(&n.wrapping_mul(0x9E37_79B1).to_be_bytes());
        driven.send(Body::SetPreference(set)).unwrap();
    }
    let chunks: Vec<_> = driven.state.chunks().collect();
    assert!(chunks.len() > 5);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.len() <= limits::SNAPSHOT_CHUNK_BYTES)
    );
    let restored = restore(&chunks).unwrap();
    assert_eq!(restored.hash(), driven.state.hash());
    let points: Vec<_> = restored.hash_points().collect();
    assert_eq!(points, driven.state.hash_points().collect::<Vec<_>>());
    assert_eq!(points.len(), 30_001 / 1_024);
}

#[test]
fn missing_doubled_and_swapped_chunks_are_noticed() {
    let chunks: Vec<_> = populated().state.chunks().collect();
    let usage = |chunk: &Vec<u8>| chunk[0] == 0x4A;
    let sections = chunks.len() - chunks.iter().filter(|it| usage(it)).count();
    assert_eq!(sections, 7, "one of each other section");
    for at in 0..chunks.len() {
        let mut missing = chunks.clone();
        missing.remove(at);
        assert!(restore(&missing).is_err(), "without {at}");
        let mut doubled = chunks.clone();
        doubled.insert(at, chunks[at].clone());
        assert!(restore(&doubled).is_err(), "{at} twice");
        // Pieces of the usage may come in any order.
        if at > 0 && !(usage(&chunks[at - 1]) && usage(&chunks[at])) {
            let mut swapped = chunks.clone();
            swapped.swap(at - 1, at);
            assert!(restore(&swapped).is_err(), "{at} swapped");
        }
    }
    assert!(restore(&[]).is_err());
    let broken = chunks.iter().cloned().map(Ok).chain([Err("disk")]);
    assert!(matches!(
        State::from_chunks(broken),
        Err(RestoreError::Source("disk"))
    ));
}

#[test]
fn no_damaged_byte_of_what_is_hashed_comes_back() {
    let driven = populated();
    let chunks: Vec<_> = driven.state.chunks().collect();
    // Purposes, namespaces and records, and the hash at the end.
    for chunk in [1, 2, 3, chunks.len() - 1] {
        let step = chunks[chunk].len() / 97 + 1;
        for byte in (0..chunks[chunk].len()).step_by(step) {
            let mut damaged = chunks.clone();
            damaged[chunk][byte] ^= 0x10;
            // A true can be written as any number but 0: then nothing is lost.
            if let Ok(restored) = restore(&damaged) {
                let same = restored.chunks().eq(chunks.iter().cloned());
                assert!(same, "chunk {chunk}, byte {byte}");
            }
        }
    }
}

#[test]
fn a_newer_snapshot_is_told_from_a_damaged_one() {
    let chunks: Vec<_> = populated().state.chunks().collect();
    // A section with a number that this program does not know, empty.
    let mut newer = chunks;
    newer.insert(1, vec![0x7A, 0]);
    assert!(matches!(restore(&newer), Err(RestoreError::TooNew)));
}

#[test]
fn the_room_that_is_asked_for_is_enough() {
    let mut driven = populated();
    let before = driven.state.snapshot_bytes();
    for _ in 0..2_000 {
        driven.opt_out(&[1, 2], &["sale", "games"]).unwrap();
    }
    let taken: usize = driven.state.chunks().map(|chunk| chunk.len()).sum();
    let asked = driven.state.snapshot_bytes();
    assert!(taken as u64 <= asked, "{taken} bytes, {asked} asked for");
    assert!(asked > before, "what is asked for grows with the state");
}
