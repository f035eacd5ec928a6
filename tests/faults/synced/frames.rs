//! Finds questions and their answers in what went over sockets: HTTP/2 frames, the calls of gRPC in them, Raft's messages in those.

use std::collections::HashMap;

use super::calls::Call;

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes before a frame's own: its length, kind, flags and stream.
const FRAME: usize = 9;
/// Bytes before a message of gRPC.
const MESSAGE: usize = 5;
/// The kind of Raft message that carries log entries (`RaftKind` of the peer protocol).
pub const APPEND: u8 = 1;
/// The kind that asks for a vote.
pub const VOTE: u8 = 2;

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The moment that its question had arrived.
    pub asked: usize,
    /// The moment that its answer began to be sent.
    pub sent: usize,
    /// The answer's message.
    message: Vec<u8>,
}

/// What is known of one stream.
#[derive(Default)]
struct Stream {
    question: Vec<u8>,
    asked: Option<usize>,
    sent: Option<usize>,
    message: Vec<u8>,
}

/// The answers that a process sent to the questions that are wanted.
pub fn answers(calls: &[Call], wanted: impl Fn(&[u8]) -> bool) -> Vec<Answer> {
    let mut sockets: HashMap<u32, Socket> = HashMap::new();
    let mut found = Vec::new();
    for (moment, call) in calls.iter().enumerate() {
        match call {
            Call::Received { descriptor, bytes } => {
                let socket = sockets.entry(*descriptor).or_default();
                for frame in socket.received.frames(bytes) {
                    if frame.kind == Frame::DATA {
                        let stream = socket.streams.entry(frame.stream).or_default();
                        stream.question.extend(frame.bytes);
                        stream.asked = Some(moment);
                    }
                }
            }
            Call::Sends { descriptor, bytes } => {
                let socket = sockets.entry(*descriptor).or_default();
                for frame in socket.sent.frames(bytes) {
                    let stream = socket.streams.entry(frame.stream).or_default();
                    // Only of what was asked here: a question that is sent has nothing before it.
                    if stream.asked.is_none() {
                        continue;
                    }
                    match frame.kind {
                        Frame::HEADERS => {
                            stream.sent.get_or_insert(moment);
                        }
                        Frame::DATA => stream.message.extend(frame.bytes),
                        _ => {}
                    }
                }
            }
            Call::Closed { descriptor } => found.extend(sockets.remove(descriptor)),
            Call::Syncs | Call::Synced { .. } | Call::Nothing => {}
        }
    }
    let all = found.into_iter().chain(sockets.into_values());
    let streams = all.flat_map(|socket| socket.streams.into_values());
    let answered = streams.filter(|stream| wanted(&stream.question));
    answered
        .filter_map(|stream| {
            Some(Answer {
                asked: stream.asked?,
                sent: stream.sent?,
                message: stream.message,
            })
        })
        .collect()
}

#[derive(Default)]
struct Socket {
    received: Direction,
    sent: Direction,
    streams: HashMap<u32, Stream>,
}

#[derive(Default)]
struct Direction(Vec<u8>);

struct Frame {
    kind: u8,
    stream: u32,
    bytes: Vec<u8>,
}

impl Frame {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
}

impl Direction {
    /// The frames that have come to their end.
    fn frames(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.0.extend(bytes);
        if self.0.starts_with(PREFACE) {
            self.0.drain(..PREFACE.len());
        }
        let mut frames = Vec::new();
        while let Some(head) = self.0.first_chunk::<FRAME>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & (u32::MAX >> 1);
            if self.0.len() < FRAME + length {
                break;
            }
            let bytes: Vec<u8> = self.0.drain(..FRAME + length).skip(FRAME).collect();
            assert!(kind != Frame::DATA || flags & 8 == 0, "no padding is read");
            frames.push(Frame {
                kind,
                stream,
                bytes,
            });
        }
        frames
    }
}

/// Whether a message is Raft's, of a kind.
pub fn is(message: &[u8], kind: u8) -> bool {
    let raft = || {
        // A `RaftMessage`: the envelope, then the kind.
        let rest = message.get(MESSAGE..)?.strip_prefix(&[0x0a])?;
        let (length, rest) = number(rest)?;
        let rest = rest.get(usize::try_from(length).ok()?..)?;
        Some(rest.starts_with(&[0x10, kind]))
    };
    raft() == Some(true)
}

impl Answer {
    /// Of an answer to a question for a vote: whether that is given.
    pub fn grants(&self) -> bool {
        let granted = || {
            // A `RaftReply`: its payload, which begins with the vote (term, for whom, whether that one leads) and whether it is given.
            let rest = self.message.get(MESSAGE..)?.strip_prefix(&[0x0a])?;
            let (_, rest) = number(rest)?;
            let (_, rest) = number(rest)?;
            let (_, rest) = number(rest.strip_prefix(&[1])?)?;
            Some(*rest.get(1)? == 1)
        };
        granted() == Some(true)
    }
}

/// A number of seven bits a byte, the lowest first.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, bytes: &[u8]) -> Vec<u8> {
        let mut frame = vec![
            0,
            0,
            u8::try_from(bytes.len()).unwrap(),
            kind,
            0,
            0,
            0,
            0,
            stream,
        ];
        frame.extend(bytes);
        frame
    }

    #[test]
    fn an_answer_belongs_to_its_question() {
        let mut asked = PREFACE.to_vec();
        asked.extend(frame(Frame::DATA, 1, b"one"));
        asked.extend(frame(Frame::DATA, 3, b"three"));
        let (early, late) = asked.split_at(40);
        let received = |bytes: &[u8]| Call::Received {
            descriptor: 9,
            bytes: bytes.to_vec(),
        };
        let sends = |bytes: Vec<u8>| Call::Sends {
            descriptor: 9,
            bytes,
        };
        let calls = [
            received(early),
            received(late),
            sends(frame(Frame::HEADERS, 3, b"")),
            sends(frame(Frame::HEADERS, 1, b"")),
        ];
        let of = |what: &[u8]| {
            let found = answers(&calls, |question| question == what);
            found
                .iter()
                .map(|it| (it.asked, it.sent))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(b"one"), [(0, 3)]);
        assert_eq!(of(b"three"), [(1, 2)]);
        assert_eq!(of(b"two"), []);
    }
}
