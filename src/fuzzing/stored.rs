//! Files of a node's disk, and what peers send to be put there: snapshots, the journal, small files.

use std::{
    convert::Infallible,
    path::Path,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;

use super::input::{choice, pieces};
use crate::{
    domain::State,
    storage::{
        files::Files,
        identity::{self, IDENTITY_FILE, Identity, VOTE_FILE},
        journal::{Journal, JournalEdge},
        memory::MemoryFiles,
        secrets::STAMPS,
        snapshot::{MAX_CHUNK, Section, Snapshots},
    },
};

/// Appends the checksum that has bytes accepted: hardly any input has the right one.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32c::crc32c(bytes).to_be_bytes()].concat()
}

/// A file with these bytes, alone on a disk.
fn disk(name: &Path, bytes: &[u8]) -> MemoryFiles {
    let files = MemoryFiles::new();
    files.write(name, bytes).expect("room");
    files
}

/// Snapshots as a peer sends them: what is taken can be read to its end, and is not taken with one byte changed.
pub fn snapshots(data: &[u8]) {
    let Some((kind, bytes)) = choice(data) else {
        return;
    };
    let file = match kind {
        0 => bytes.to_vec(),
        _ => snapshot_file(bytes),
    };
    let Some((journal, state)) = received(&file) else {
        return;
    };
    if let Ok(edge) = JournalEdge::decode(&journal) {
        assert_eq!(edge.encode(), journal, "the edge is written otherwise");
    }
    let _ = State::from_chunks(state.into_iter().map(Ok::<_, Infallible>));
    let mut changed = file.clone();
    changed[kind % file.len()] ^= 1;
    assert!(received(&changed).is_none(), "taken with a byte changed");
}

/// A file of these records: kind, length (16 bits), body; their checksums are right.
fn snapshot_file(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = b"RFSN\0\0\0\x01".to_vec();
    let mut crc = crc32c::crc32c(&file);
    while let Some((&[kind, high, low], rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (body, rest) = rest.split_at(length);
        bytes = rest;
        let head = [
            &[kind][..],
            &u32::try_from(length).unwrap_or_default().to_be_bytes(),
        ]
        .concat();
        crc = crc32c::crc32c_append(crc32c::crc32c_append(crc, &head), body);
        file.extend_from_slice(&head);
        file.extend_from_slice(&crc.to_be_bytes());
        file.extend_from_slice(body);
    }
    file
}

/// What a snapshot holds, if it is taken: the journal's edge, and the chunks of the state.
fn received(file: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let snapshots = Snapshots::open(Arc::new(MemoryFiles::new())).expect("an empty disk");
    let mut receiver = snapshots.receive(1).expect("room");
    for piece in file.chunks(1024) {
        receiver.push(piece).ok()?;
    }
    receiver.finish().ok()?.publish().expect("room");
    let mut reader = snapshots.read(1).expect("what was taken");
    let (mut journal, mut state) = (Vec::new(), Vec::new());
    while let Some((section, chunk)) = reader.next_chunk().expect("what was taken") {
        assert!(chunk.len() <= MAX_CHUNK);
        match section {
            Section::Journal => journal.extend_from_slice(&chunk),
            Section::State => state.push(chunk.to_vec()),
        }
    }
    Some((journal, state))
}

/// Three full bundles with some evidence, and an unfinished one: a journal that a peer could have.
static PEER: LazyLock<Journal> = LazyLock::new(|| {
    let journal = Journal::open(Arc::new(MemoryFiles::new()), &JournalEdge::default());
    let journal = journal.expect("an empty journal");
    for number in 0_u16..800 {
        let evidence = (number % 100 == 0).then_some(&b"sealed"[..]);
        let appended = journal.append(&number.to_be_bytes(), evidence);
        appended.expect("room");
    }
    journal
});

/// The journal's edge, its mark, and bundles that a peer supplies: an edge is written as it was read, and no bundle is
/// taken but the one that the edge knows.
pub fn journal(data: &[u8]) {
    match choice(data) {
        None => {}
        Some((0, bytes)) => edge(bytes),
        Some((1, bytes)) => edge(&sealed(bytes)),
        Some((2, bytes)) => {
            let files = disk(Path::new("journal/complete"), &sealed(bytes));
            let _ = Journal::open(Arc::new(files), &PEER.edge());
        }
        Some((number, bytes)) => {
            let (number, mut parts) = (number as u64 % 4, pieces(bytes));
            let (entries, evidence) = (parts.next(), parts.next());
            supply(
                number,
                entries.unwrap_or_default(),
                evidence.unwrap_or_default(),
            );
        }
    }
}

fn edge(bytes: &[u8]) {
    if let Ok(edge) = JournalEdge::decode(bytes) {
        assert_eq!(edge.encode(), bytes, "it is written otherwise");
    }
}

fn supply(number: u64, entries: &[u8], evidence: &[u8]) {
    let journal = Journal::open(Arc::new(MemoryFiles::new()), &JournalEdge::default());
    let journal = journal.expect("an empty journal");
    journal.install(&PEER.edge()).expect("the peer's edge");
    let [sent, beside] = [entries, evidence].map(Bytes::copy_from_slice);
    let taken = journal.supply(number, sent, beside);
    match PEER.bundle(number) {
        Ok((real, sealed)) if real == entries && sealed == evidence => {
            taken.expect("the peer's own bundle");
            let events = journal.read(number * 256 + 1, (number + 1) * 256, usize::MAX);
            assert_eq!(events.map(|it| it.len()).ok(), Some(256));
        }
        _ => assert!(taken.is_err(), "another bundle was taken"),
    }
}

/// The small files: who the node is, its vote, its secrets. What is read is written as it was.
pub fn small_files(data: &[u8]) {
    let Some((kind, bytes)) = choice(data) else {
        return;
    };
    let bytes = if kind < 3 {
        bytes.to_vec()
    } else {
        sealed(bytes)
    };
    let name = Path::new([IDENTITY_FILE, VOTE_FILE, STAMPS.name][kind % 3]);
    let files = disk(name, &bytes);
    let saved = match kind % 3 {
        0 => Identity::load(&files).map(|found| found.expect("it is there").save(&files)),
        1 => identity::load_vote(&files)
            .map(|vote| identity::save_vote(&files, &vote.expect("it is there"))),
        _ => STAMPS
            .load(&files)
            .map(|secrets| STAMPS.save(&files, &secrets)),
    };
    if let Ok(saved) = saved {
        saved.expect("room");
        let written = files.read(name).expect("a file");
        assert_eq!(written, Some(bytes), "it is written otherwise");
    }
}
