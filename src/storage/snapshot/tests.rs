//! Snapshots: round trips, damage at every byte, transfer, and what is left after a crash.

use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use proptest::prelude::*;

use super::{MAX_CHUNK, MAX_PIECE, Section, SnapshotError, Snapshots, path};
use crate::storage::{files::Files, memory::MemoryFiles};

type Chunks = Vec<(Section, Bytes)>;

fn on(disk: &MemoryFiles) -> Snapshots {
    Snapshots::open(Arc::new(disk.clone())).unwrap()
}

fn write(snapshots: &Snapshots, position: u64, meta: &[u8], chunks: &[(Section, Bytes)]) {
    let mut writer = snapshots.create(position, meta).unwrap();
    for (section, chunk) in chunks {
        writer.push(*section, chunk).unwrap();
    }
    let length = writer.finish().unwrap();
    assert_eq!(snapshots.size(position).unwrap(), Some(length));
}

fn read(snapshots: &Snapshots, position: u64) -> Result<(Bytes, Chunks), SnapshotError> {
    let mut reader = snapshots.read(position)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        chunks.push(chunk);
    }
    assert!(reader.next_chunk()?.is_none());
    Ok((reader.meta().clone(), chunks))
}

fn some_chunks() -> Chunks {
    vec![
        (Section::Journal, Bytes::from_static(b"the edge")),
        (Section::State, Bytes::from_static(b"shard one")),
        (Section::State, Bytes::new()),
    ]
}

#[test]
fn the_format_is_what_it_was() {
    let disk = MemoryFiles::new();
    write(&on(&disk), 7, b"meta", &some_chunks());
    let file = disk.read(&path(7)).unwrap().unwrap();
    assert_eq!(
        path(7),
        Path::new("snapshots/00000000000000000007.snapshot")
    );
    // `RFSN`, format 1, then kind, length, CRC and body of each record.
    let golden = concat!(
        "5246534e00000001",
        "010000000484d4328e6d657461",
        "020000000869d8a1d47468652065646765",
        "0300000009dc7d20757368617264206f6e65",
        "03000000001c29dc82",
        "0400000008eeefe4160000000000000004",
    );
    assert_eq!(hex::encode(file), golden);
}

proptest! {
    #[test]
    fn chunks_come_back_as_they_were(
        meta in prop::collection::vec(any::<u8>(), 0..100),
        chunks in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..5000)), 0..10),
        piece in 1_usize..6000,
    ) {
        let chunks: Chunks = chunks
            .into_iter()
            .map(|(journal, chunk)| {
                let section = if journal { Section::Journal } else { Section::State };
                (section, chunk.into())
            })
            .collect();
        let disk = MemoryFiles::new();
        let snapshots = on(&disk);
        write(&snapshots, 3, &meta, &chunks);
        let expected = (Bytes::from(meta), chunks);
        prop_assert_eq!(&read(&snapshots, 3).unwrap(), &expected);

        let peer = on(&MemoryFiles::new());
        let mut receiver = peer.receive(3).unwrap();
        for piece in disk.read(&path(3)).unwrap().unwrap().chunks(piece) {
            receiver.push(piece).unwrap();
        }
        receiver.finish().unwrap().publish().unwrap();
        prop_assert_eq!(&read(&peer, 3).unwrap(), &expected);
    }
}

#[test]
fn damage_anywhere_is_noticed_here_and_by_a_peer() {
    let disk = MemoryFiles::new();
    let snapshots = on(&disk);
    write(&snapshots, 7, b"meta", &some_chunks());
    let whole = disk.read(&path(7)).unwrap().unwrap();
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    for at in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = whole.clone();
            flipped[at] ^= bit;
            damaged.push(flipped);
        }
        damaged.push(whole[..at].to_vec());
        damaged.push([&whole[..at], &whole[at + 1..]].concat());
    }
    damaged.push([&whole[..], b"x"].concat());
    damaged.push([&whole[..], &whole[..]].concat());

    let peer_disk = MemoryFiles::new();
    let peer = on(&peer_disk);
    for bytes in damaged {
        disk.write_durably(&path(7), &bytes).unwrap();
        let Err(SnapshotError::Damaged { file, what }) = read(&snapshots, 7) else {
            panic!("damage went unnoticed");
        };
        assert_eq!((file, what.is_empty()), (path(7), false));

        let mut receiver = peer.receive(7).unwrap();
        let result = receiver.push(&bytes).and_then(|()| receiver.finish());
        assert!(matches!(result, Err(SnapshotError::Received(_))));
        assert!(peer_disk.paths().is_empty(), "nothing of it is kept");
    }
}

#[test]
fn a_damaged_length_does_not_take_memory() {
    let disk = MemoryFiles::new();
    let snapshots = on(&disk);
    write(&snapshots, 7, b"meta", &[]);
    let mut bytes = disk.read(&path(7)).unwrap().unwrap();
    bytes[9..13].copy_from_slice(&u32::MAX.to_be_bytes());
    disk.write_durably(&path(7), &bytes).unwrap();
    let error = snapshots.read(7).err().unwrap().to_string();
    assert!(error.contains("record 1 is longer than any"), "{error}");
    assert!(error.contains("rejoin"), "{error}");
}

#[test]
fn chunks_are_bounded() {
    let snapshots = on(&MemoryFiles::new());
    let mut writer = snapshots.create(1, b"").unwrap();
    writer.push(Section::State, &vec![1; MAX_CHUNK]).unwrap();
    let error = writer
        .push(Section::State, &vec![1; MAX_CHUNK + 1])
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn only_the_newest_is_kept_also_after_a_crash() {
    let disk = MemoryFiles::new();
    let snapshots = on(&disk);
    assert_eq!(snapshots.latest().unwrap(), None);
    write(&snapshots, 5, b"five", &[]);
    write(&snapshots, 20, b"twenty", &[]);
    assert_eq!(snapshots.latest().unwrap(), Some(20));
    assert_eq!(disk.paths(), [path(20)]);
    // One that took longer than a newer one does not take its place.
    write(&on(&MemoryFiles::new()), 6, b"", &[]);
    let late = snapshots.create(6, b"late").unwrap();
    late.finish().unwrap();
    assert_eq!(disk.paths(), [path(20)]);

    // The removal of an old one may not outlive a crash.
    disk.write_durably(&path(9), b"old").unwrap();
    disk.write_durably(Path::new("snapshots/readme"), b"not ours")
        .unwrap();
    let snapshots = on(&disk);
    assert_eq!(snapshots.latest().unwrap(), Some(20));
    assert_eq!(disk.paths(), [path(20), "snapshots/readme".into()]);
    assert_eq!(read(&snapshots, 20).unwrap().0, "twenty");
}

#[test]
fn an_unfinished_snapshot_leaves_the_last_one_in_place() {
    let disk = MemoryFiles::new();
    let snapshots = on(&disk);
    write(&snapshots, 5, b"five", &[]);
    let mut writer = snapshots.create(8, b"eight").unwrap();
    writer.push(Section::State, b"chunk").unwrap();
    drop(writer);
    assert_eq!(snapshots.latest().unwrap(), Some(5));
    disk.crash();
    assert_eq!(read(&snapshots, 5).unwrap().0, "five");
    assert!(matches!(
        read(&snapshots, 8),
        Err(SnapshotError::Damaged { .. })
    ));
}

#[test]
fn a_received_snapshot_can_be_read_before_it_counts() {
    let (disk, peer_disk) = (MemoryFiles::new(), MemoryFiles::new());
    let (snapshots, peer) = (on(&disk), on(&peer_disk));
    let long = Bytes::from(vec![9; MAX_PIECE + 3]);
    write(&snapshots, 40, b"meta", &[(Section::State, long.clone())]);
    write(&peer, 10, b"older", &[]);

    let mut pieces = snapshots.pieces(40).unwrap();
    // The leader makes a newer one meanwhile.
    write(&snapshots, 50, b"newer", &[]);
    let mut receiver = peer.receive(40).unwrap();
    let mut length = 0;
    while let Some(piece) = pieces.next_piece().unwrap() {
        assert!(piece.len() <= MAX_PIECE);
        length += piece.len() as u64;
        receiver.push(&piece).unwrap();
    }
    assert_eq!(length, pieces.length());

    let arrived = receiver.finish().unwrap();
    assert_eq!((arrived.position(), peer.latest().unwrap()), (40, Some(10)));
    let mut reader = arrived.read().unwrap();
    assert_eq!(reader.meta(), "meta");
    assert_eq!(reader.next_chunk().unwrap(), Some((Section::State, long)));
    assert_eq!(reader.next_chunk().unwrap(), None);
    arrived.publish().unwrap();
    peer_disk.crash();
    let peer = on(&peer_disk);
    assert_eq!(peer.latest().unwrap(), Some(40));
    assert_eq!(peer_disk.paths(), [path(40)]);
    assert_eq!(read(&peer, 40).unwrap().0, "meta");
    let gone = snapshots.pieces(40).err().unwrap();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
}
