//! Reads what strace wrote: in order, what went over sockets and what was synced.

use std::collections::HashMap;

/// A system call that matters; its place in the list is its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Bytes had arrived.
    Received { descriptor: u32, bytes: Vec<u8> },
    /// Bytes are about to be sent. Those that were.
    Sends { descriptor: u32, bytes: Vec<u8> },
    /// A descriptor is closed: its number may come to mean something else.
    Closed { descriptor: u32 },
    /// A sync begins.
    Syncs,
    /// A sync has succeeded; when it began.
    Synced { began: usize },
    /// A call that is over and done.
    Nothing,
}

/// Reads a trace of all threads of a process.
pub fn read(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    // By thread: the moment that a call began, and what was told of it then.
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, told)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let told = told.trim_start();
        if let Some(start) = told.strip_suffix("<unfinished ...>") {
            open.insert(thread, (calls.len(), start.to_owned()));
            calls.push(begins(start));
        } else if let Some(rest) = told.strip_prefix("<... ") {
            let Some((began, start)) = open.remove(thread) else {
                // It began before anybody looked.
                continue;
            };
            let rest = rest.split_once("resumed>").map_or("", |(_, rest)| rest);
            end(&mut calls, began, &(start + rest));
        } else if told.contains('(') {
            let began = calls.len();
            calls.push(begins(told));
            end(&mut calls, began, told);
        }
    }
    calls
}

fn begins(told: &str) -> Call {
    match name(told) {
        "fsync" | "fdatasync" => Call::Syncs,
        _ => Call::Nothing,
    }
}

fn name(told: &str) -> &str {
    told.split_once('(').map_or(told, |(name, _)| name)
}

/// Notes a whole call: what is sent counts from its beginning, what arrives and what is synced from its end.
fn end(calls: &mut Vec<Call>, began: usize, told: &str) {
    let Some((arguments, result)) = told.rsplit_once(" = ") else {
        return;
    };
    let result = result.split_whitespace().next().unwrap_or("");
    let Ok(result) = result.parse::<i64>() else {
        return;
    };
    let descriptor = arguments.split_once('(').map_or("", |(_, rest)| rest);
    let descriptor = descriptor.split([',', ')']).next().unwrap_or("");
    let (Ok(descriptor), Ok(length)) = (descriptor.trim().parse(), usize::try_from(result)) else {
        return;
    };
    let bytes = || {
        let mut bytes = literals(arguments);
        bytes.truncate(length);
        bytes
    };
    match name(told) {
        "recvfrom" | "recvmsg" | "read" | "readv" => calls.push(Call::Received {
            descriptor,
            bytes: bytes(),
        }),
        "sendto" | "sendmsg" | "write" | "writev" => {
            calls[began] = Call::Sends {
                descriptor,
                bytes: bytes(),
            };
        }
        "close" => calls.push(Call::Closed { descriptor }),
        "fsync" | "fdatasync" => calls.push(Call::Synced { began }),
        _ => {}
    }
}

/// All texts of a call, which strace writes as `"\x2a\x00..."`.
fn literals(arguments: &str) -> Vec<u8> {
    let texts = arguments.split('"').skip(1).step_by(2);
    let digits = texts.flat_map(|text| text.split("\\x").skip(1));
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_cross_each_other_keep_their_order() {
        let trace = r#"7 recvfrom(9, "\x01\x02", 64, 0, NULL, NULL) = 2
8 fdatasync(4 <unfinished ...>
7 writev(9, [{iov_base="\x03", iov_len=1}, {iov_base="\x04\x05", iov_len=2}], 2 <unfinished ...>
8 <... fdatasync resumed>) = 0
7 <... writev resumed>) = 2
8 fdatasync(4) = -1 EIO (Input/output error)
7 close(9) = 0"#;
        let (one, two) = (vec![1, 2], vec![3, 4]);
        let (nine, bytes) = (9, one);
        assert_eq!(
            read(trace),
            [
                Call::Nothing,
                Call::Received {
                    descriptor: nine,
                    bytes
                },
                Call::Syncs,
                Call::Sends {
                    descriptor: nine,
                    bytes: two
                },
                Call::Synced { began: 2 },
                Call::Syncs,
                Call::Nothing,
                Call::Closed { descriptor: nine },
            ]
        );
    }
}
