//! Calls into sled that may panic or hang, turned into errors; its panic messages stay out of the operator's sight.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

thread_local! {
    /// Whether a panic on this thread is caught and told by [`guarded`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it becomes an error that carries its message.
pub(super) fn guarded<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    quieten();
    let before = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.unwrap_or_else(|panic| {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the database gave up: {}", message(&*panic)),
        ))
    })
}

/// Why guarded work on a thread of its own gave no result.
#[derive(Debug)]
pub(super) enum NoResult {
    /// It made no step forward for this long.
    Hung(Duration),
    /// It panicked outside of any [`guarded`] call; the message.
    Panicked(String),
    /// There is no thread for it.
    NoThread(io::Error),
}

/// Tells that guarded work goes forward.
#[derive(Debug, Clone)]
pub(super) struct Heartbeat(SyncSender<()>);

impl Heartbeat {
    /// Another step is done.
    pub fn beat(&self) {
        // One that waits to be heard says as much as two, and nobody listens once the work counts as hung.
        let _ = self.0.try_send(());
    }
}

/// Runs `work` on a thread of its own and gives up when it makes no step forward for `patience`. A thread that
/// hangs is left behind: the process is about to end.
pub(super) fn watched<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce(&Heartbeat) -> T + Send + 'static,
) -> Result<T, NoResult> {
    quieten();
    let (beats, listen) = sync_channel(1);
    let thread = thread::Builder::new()
        .name("refrain-log-open".to_owned())
        .spawn(move || {
            GUARDED.set(true);
            work(&Heartbeat(beats))
        })
        .map_err(NoResult::NoThread)?;
    loop {
        match listen.recv_timeout(patience) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return Err(NoResult::Hung(patience)),
            // The sender went with the work: it is done, one way or the other.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    thread
        .join()
        .map_err(|panic| NoResult::Panicked(message(&*panic)))
}

/// A panic's message.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Puts a panic hook in front of the standing one that keeps guarded panics, and those of sled's own threads, out of
/// standard error: what they mean is told where they are caught.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let standing = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let theirs = thread::current()
                .name()
                .is_some_and(|name| name.starts_with("sled-io-"));
            if theirs || GUARDED.get() {
                tracing::debug!(panic = %info, "a panic in the log's database");
            } else {
                standing(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error = guarded::<()>(|| panic!("segment {} is torn", 7)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("segment 7 is torn"), "{error}");
        assert_eq!(guarded(|| Ok(5)).unwrap(), 5);
    }

    #[test]
    fn watched_work_may_take_long_if_it_goes_forward() {
        let result = watched(Duration::from_secs(1), |heart| {
            for _ in 0..4 {
                thread::sleep(Duration::from_millis(300));
                heart.beat();
            }
            "done"
        });
        assert_eq!(result.unwrap(), "done");
    }

    #[test]
    fn a_hang_and_a_panic_are_told_apart() {
        let hung = watched(Duration::from_millis(20), |_| {
            thread::sleep(Duration::from_millis(400));
        });
        assert!(matches!(hung, Err(NoResult::Hung(_))));
        let panicked = watched(Duration::from_secs(5), |_| panic!("no such segment"));
        assert!(matches!(panicked, Err(NoResult::Panicked(text)) if text == "no such segment"));
    }
}
