//! Writes log lines on a thread of its own, so that whoever reads the log, or does not, never holds the node up.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// How often the end of the log asks again for a place in a full queue.
const AGAIN: Duration = Duration::from_millis(5);

enum Message {
    Line(Vec<u8>),
    /// All before it is written.
    Written(SyncSender<()>),
}

/// Where log lines go. It never waits: a line for which there is no room is counted, and the count is written later.
#[derive(Clone)]
pub struct LogSink {
    lines: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl LogSink {
    /// Writes to `out`; at most `waiting` lines wait for it.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn begin(out: impl Write + Send + 'static, waiting: usize) -> io::Result<Self> {
        let (lines, queue) = sync_channel(waiting);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(out, &queue, &counted))?;
        Ok(Self { lines, lost })
    }

    /// Waits until all that was said is written, but no longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (written, wait) = sync_channel(1);
        let mut message = Message::Written(written);
        loop {
            message = match self.lines.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(message)) => message,
            };
            if Instant::now() >= until {
                return;
            }
            thread::sleep(AGAIN);
        }
        // Whoever does not read to the end has no use for it.
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn write(mut out: impl Write, queue: &Receiver<Message>, lost: &AtomicU64) {
    for message in queue {
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            // There is nobody to tell where this fails too.
            let line = format!("{count} lines of the log were lost: nobody read it\n");
            let _ = out.write_all(line.as_bytes());
        }
        match message {
            Message::Line(line) => {
                let _ = out.write_all(&line);
            }
            Message::Written(written) => {
                let _ = out.flush();
                let _ = written.send(());
            }
        }
    }
}

impl Write for LogSink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// How often somebody reads: more often than there is anything.
    const READS: usize = 1_000;

    /// Takes each line only when it is told to, and keeps what it took.
    struct Slow {
        reads: Receiver<()>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let read = self.reads.recv();
            read.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow(waiting: usize) -> (LogSink, SyncSender<()>, Arc<Mutex<Vec<u8>>>) {
        let (read, reads) = sync_channel(READS);
        let taken = Arc::default();
        let out = Slow {
            reads,
            taken: Arc::clone(&taken),
        };
        (LogSink::begin(out, waiting).unwrap(), read, taken)
    }

    #[test]
    fn a_log_that_nobody_reads_holds_nobody_up_and_tells_what_it_lost() {
        let (mut sink, read, taken) = slow(4);
        for line in 0..100 {
            sink.write_all(format!("line {line}\n").as_bytes()).unwrap();
        }
        // Nobody reads: the end of the log is not waited for either, beyond its time.
        sink.flush(Duration::from_millis(1));
        for _ in 0..READS {
            read.send(()).unwrap();
        }
        sink.flush(Duration::from_secs(60));
        let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
        let kept = text
            .lines()
            .filter(|line| line.starts_with("line "))
            .count();
        let lost = text.lines().filter_map(|line| {
            let count = line.strip_suffix(" lines of the log were lost: nobody read it")?;
            count.parse::<usize>().ok()
        });
        // Four waited; one more may have been in hand.
        assert!((4..=5).contains(&kept), "{text}");
        assert_eq!(lost.sum::<usize>(), 100 - kept, "{text}");
        assert!(text.contains("line 0\nline 1\n"), "{text}");
    }

    #[test]
    fn what_is_read_is_whole() {
        let (mut sink, read, taken) = slow(READS);
        for _ in 0..READS {
            read.send(()).unwrap();
        }
        for line in 0..10 {
            sink.write_all(format!("line {line}\n").as_bytes()).unwrap();
        }
        sink.flush(Duration::from_secs(60));
        let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 10, "{text}");
    }
}
