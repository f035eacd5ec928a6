//! Runs what may wait for a disk where waiting holds nobody up.

use std::io;

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs `work` on a thread that may block. On a runtime of one thread it runs in place: only tests and simulations have
/// such a runtime, and a simulation in which two threads race does not repeat itself.
///
/// # Errors
/// When `work` panicked on its thread.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        // As on a thread of its own, others come first.
        tokio::task::yield_now().await;
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn work_runs_on_a_thread_that_may_block() {
        let here = tokio::spawn(async { thread::current().id() });
        let there = off_thread(|| thread::current().id()).await.unwrap();
        assert_ne!(here.await.unwrap(), there);
        assert!(off_thread(|| panic!("on purpose")).await.is_err());
    }

    #[tokio::test]
    async fn on_a_runtime_of_one_thread_there_is_no_other() {
        let there = off_thread(|| thread::current().id()).await.unwrap();
        assert_eq!(thread::current().id(), there);
    }
}
