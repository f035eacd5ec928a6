//! The runtime that openraft is given: tokio, with the node's own random source.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures::FutureExt as _;
use openraft::{
    OptionalSend,
    rt::{AsyncRuntime, deterministic_rng::DeterministicRng},
};
use openraft_rt_tokio::TokioRuntime;

use crate::clock::{Entropy, SystemEntropy};

tokio::task_local! {
    /// What the tasks of one Raft node draw from. They hand it on to those that they spawn.
    static ENTROPY: Arc<dyn Entropy>;
}

/// Has what openraft does within `future`, and within every task that it spawns from there, draw from `entropy`.
pub async fn drawing_from<F: Future>(entropy: Arc<dyn Entropy>, future: F) -> F::Output {
    ENTROPY.scope(entropy, future).await
}

/// tokio, with the random source that was injected.
pub struct Runtime(TokioRuntime);

/// A seeded generator of openraft's own choice.
type Seeded = DeterministicRng<TokioRuntime>;

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> =
        <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = <Seeded as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        match ENTROPY.try_with(Arc::clone) {
            Ok(entropy) => TokioRuntime::spawn(drawing_from(entropy, future)),
            Err(_) => TokioRuntime::spawn(future),
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        let mut seed = [0; 8];
        if ENTROPY.try_with(|entropy| entropy.fill(&mut seed)).is_err() {
            // A call from outside of the node's tasks.
            SystemEntropy.fill(&mut seed);
        }
        let seed = u64::from_le_bytes(seed);
        // Nothing is waited for in there.
        let drawn = Seeded::scope(seed, async { Seeded::thread_rng() }).now_or_never();
        drawn.unwrap_or_else(|| unreachable!("a future without a wait is ready at once"))
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use openraft::rt::testing::Suite;

    use super::*;

    /// Counts, and is far from random.
    struct Counter(std::sync::atomic::AtomicU8);

    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        }
    }

    fn draw() -> String {
        format!("{:?}", Runtime::thread_rng())
    }

    #[tokio::test]
    async fn tasks_draw_from_what_was_injected_and_hand_it_on() {
        let run = || async {
            let entropy = Arc::new(Counter(0.into()));
            drawing_from(entropy, async {
                let own = draw();
                let task = Runtime::spawn(async {
                    (draw(), Runtime::spawn(async { draw() }).await.unwrap())
                });
                (own, task.await.unwrap())
            })
            .await
        };
        let (own, (first, second)) = run().await;
        assert!(own != first && first != second);
        assert_eq!(run().await, (own, (first, second)));
        assert_ne!(draw(), draw(), "outside, the system's source");
    }

    #[test]
    fn it_is_a_runtime_as_openraft_wants_it() {
        Suite::<Runtime>::test_all();
    }
}
