//! A made-up node: a small model of Refrain behind the public API, with faults on request.
//!
//! Several nodes may share one model, as the nodes of a cluster do.

mod administration;
mod feed;
mod journal;
mod model;
mod monitor;
mod overrides;
mod registry;
mod services;
mod stamps;

use std::{
    collections::{HashMap, VecDeque},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use refrain::client::{Client, ClientBuilder};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

pub use model::{Model, noon};
pub use stamps::{CLUSTER, key};

/// What a node does instead of answering its next call.
pub enum Fault {
    /// Answers as it should.
    None,
    /// Answers with this status, nothing done.
    Refuse(Status),
    /// Never answers, nothing done.
    Hang,
    /// Does what was asked, then dies with all its connections before it answers.
    DoAndDie,
    /// Does what was asked, then answers with this status.
    DoAndSay(Status),
    /// Gives this many items of a feed, then ends it.
    EndFeedAfter(usize),
}

/// What the services of one node share.
pub struct Node {
    pub model: Arc<Mutex<Model>>,
    faults: Mutex<VecDeque<Fault>>,
    feed_faults: Mutex<VecDeque<Fault>>,
    /// The last revision that it knows, while it is cut off from the others.
    cut_off_at: Mutex<Option<u64>>,
    kill: Mutex<mpsc::Sender<()>>,
    calls: Mutex<u32>,
    journal: Mutex<journal::Signed>,
}

/// A node that runs in threads of its own.
pub struct Fake {
    pub address: SocketAddr,
    pub node: Arc<Node>,
}

impl Fake {
    /// A node of a cluster of its own.
    pub fn start() -> Self {
        Self::of(&Arc::default())
    }

    /// A node that shares its model with others.
    pub fn of(model: &Arc<Mutex<Model>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (kill, killed) = mpsc::channel();
        let node = Arc::new(Node {
            model: Arc::clone(model),
            faults: Mutex::default(),
            feed_faults: Mutex::default(),
            cut_off_at: Mutex::default(),
            kill: Mutex::new(kill),
            calls: Mutex::new(0),
            journal: Mutex::new(Box::new(|revision| Some((revision, 7)))),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(services::serve(listener, Arc::clone(&node)));
        std::thread::spawn(move || {
            let _ = killed.recv();
            // Ends all tasks where they stand, and so every connection.
            runtime.shutdown_background();
        });
        Self { address, node }
    }

    /// Two nodes with one model.
    pub fn pair() -> (Self, Self) {
        let model = Arc::default();
        (Self::of(&model), Self::of(&model))
    }

    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes the next calls go wrong, one fault each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.node.faults.lock().unwrap().extend(faults);
    }

    /// Makes the next watches go wrong, one fault each.
    pub fn fail_feeds(&self, faults: impl IntoIterator<Item = Fault>) {
        self.node.feed_faults.lock().unwrap().extend(faults);
    }

    /// Signs these sizes, with roots made of these bytes, by the revision that it knows; nothing where there is none.
    pub fn signs(&self, signed: impl FnMut(u64) -> Option<(u64, u8)> + Send + 'static) {
        *self.node.journal.lock().unwrap() = Box::new(signed);
    }

    /// Cuts it off from the others: it answers nothing, and its watches go on without hearing of anything.
    pub fn cut_off(&self) {
        let last = self.model().revision();
        *self.node.cut_off_at.lock().unwrap() = Some(last);
    }

    /// Ends it with all its connections, and waits until nobody listens there any more.
    pub fn kill(&self) {
        self.node.die();
        while TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many calls it has got.
    pub fn calls(&self) -> u32 {
        *self.node.calls.lock().unwrap()
    }

    pub fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.node.model.lock().unwrap()
    }

    /// A builder of clients that do not wait long.
    pub fn client_of(nodes: &[&Fake]) -> ClientBuilder {
        Client::builder()
            .endpoints(nodes.iter().map(|node| node.uri()))
            .deadline(Duration::from_secs(5))
            .backoff(Duration::from_millis(1), Duration::from_millis(20))
    }

    pub fn client(&self) -> Client {
        Self::client_of(&[self]).build().unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.node.die();
    }
}

impl Node {
    fn die(&self) {
        let _ = self.kill.lock().unwrap().send(());
    }

    fn is_cut_off(&self) -> bool {
        self.cut_off_at.lock().unwrap().is_some()
    }

    /// As [`Node::next_fault`], for a watch.
    fn next_feed_fault(&self) -> Option<Fault> {
        let own = self.feed_faults.lock().unwrap().pop_front();
        own.or_else(|| self.next_fault())
    }

    /// Counts a call, and takes the fault that it is to have.
    fn next_fault(&self) -> Option<Fault> {
        *self.calls.lock().unwrap() += 1;
        self.faults.lock().unwrap().pop_front()
    }
}

fn no_quorum() -> Status {
    refusal(Code::Unavailable, "NO_QUORUM", "not_applied")
}

/// A status as Refrain sends it.
pub fn refusal(code: Code, reason: &str, outcome: &str) -> Status {
    refusal_with(code, reason, &[("outcome", outcome)])
}

/// A status with more metadata.
pub fn refusal_with(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let details = ErrorDetails::with_error_info(reason, "refrain", metadata);
    Status::with_error_details(code, format!("made up: {reason}"), details)
}
