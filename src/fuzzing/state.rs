//! What the replicated log, the journal and snapshots of the state hold, and what becomes of commands when they are applied.

use std::{convert::Infallible, fmt::Debug};

use super::input::{choice, pieces};
use crate::domain::{
    Body, Command, Create, DecodeError, Event, EventId, KeyFingerprint, Millis, Principal,
    Proposal, State, decode_reply, encode_reply,
};

/// The stored encodings: what is read is written so that the same is read again, and then the same bytes are written.
pub fn encodings(data: &[u8]) {
    match choice(data) {
        None => {}
        Some((0, bytes)) => same_again(bytes, Command::decode, |it| it.encode().to_vec()),
        Some((1, bytes)) => same_again(bytes, Proposal::decode, |it| it.encode().to_vec()),
        Some((2, bytes)) => same_again(bytes, decode_reply, |it| encode_reply(it).to_vec()),
        Some((_, bytes)) => same_again(bytes, Event::decode, Event::encode),
    }
}

fn same_again<T: Debug + PartialEq>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let Ok(read) = decode(bytes) else { return };
    let written = encode(&read);
    assert_eq!(decode(&written).as_ref(), Ok(&read), "it is read otherwise");
    assert_eq!(encode(&read), written, "it is written otherwise");
}

/// Commands, applied one after the other by two nodes: the same comes of them, every event is kept as it was made, and a
/// snapshot holds the state.
pub fn commands(data: &[u8]) {
    let mut nodes = [State::default(), State::default()];
    let creation = Body::Create(Create::new([7; 16], KeyFingerprint([8; 16])));
    apply(&mut nodes, &command(creation, 0));
    for (piece, number) in pieces(data).take(64).zip(1..) {
        let Ok(Proposal { body, .. }) = Proposal::decode(piece) else {
            continue;
        };
        // What is proposed has been checked by the node that took it.
        if body.validate().is_ok() {
            apply(&mut nodes, &command(body, number));
        }
    }
    let [state, _] = nodes;
    snapshot_holds(&state);
}

/// A command as a leader makes it: later than the one before, with an id of its own, by one of two principals.
fn command(body: Body, number: u64) -> Command {
    let name = if number.is_multiple_of(2) {
        "ann"
    } else {
        "bob"
    };
    let principal = Principal::parse(name).expect("a name");
    let received_at = Millis(1_700_000_000_000 + number * 60_000);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let event_id = EventId::new(received_at, random);
    Proposal { principal, body }.into_command(received_at, event_id)
}

fn apply(nodes: &mut [State; 2], command: &Command) {
    let [one, other] = nodes;
    let before = one.revision();
    let (applied, again) = (one.apply(command), other.apply(command));
    assert_eq!(applied.reply, again.reply, "nodes differ");
    assert_eq!(one.hash(), other.hash(), "nodes differ");
    for ((event, _), revision) in applied.events.iter().zip(before + 1..) {
        assert_eq!(event.revision, revision, "revisions are dense");
        assert_eq!(Event::decode(&event.encode()).as_ref(), Ok(event));
    }
    assert_eq!(one.revision(), before + applied.events.len() as u64);
    assert_eq!(
        decode_reply(&encode_reply(&applied.reply)),
        Ok(applied.reply)
    );
}

/// The chunks of a snapshot of the state, with the end that would have them accepted: what is accepted is held by its own
/// snapshot.
pub fn state_chunks(data: &[u8]) {
    let chunks: Vec<Vec<u8>> = pieces(data).map(<[u8]>::to_vec).collect();
    // As they are.
    let _ = State::from_chunks(chunks.iter().cloned().map(Ok::<_, Infallible>));
    if let Some(whole) = State::with_end(chunks)
        && let Ok(state) = State::from_chunks(whole.into_iter().map(Ok::<_, Infallible>))
    {
        snapshot_holds(&state);
    }
}

fn snapshot_holds(state: &State) {
    let chunks: Vec<Vec<u8>> = state.chunks().collect();
    let restored = State::from_chunks(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let restored = restored.expect("a snapshot that can be read");
    assert_eq!(restored.hash(), state.hash(), "another state");
    assert_eq!(restored.revision(), state.revision());
    assert!(
        restored.chunks().eq(chunks),
        "another snapshot of the same state"
    );
}
