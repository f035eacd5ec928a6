//! The feed of a made-up node.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use refrain::proto::v1::{watch_service_server::*, *};
use tonic::{Request, Response};

use super::{
    Fault, Node, no_quorum,
    services::{Api, Feed, Reply},
};

impl Node {
    /// What there is to tell from this revision on, as far as this node knows.
    fn news(&self, from: u64) -> (Vec<Event>, Option<Heartbeat>) {
        let model = self.model.lock().unwrap();
        let last = self.cut_off_at.lock().unwrap().unwrap_or(u64::MAX);
        let known = |it: &&Event| it.revision >= from && it.revision <= last;
        let news = model.events.iter().filter(known).cloned().collect();
        let beat = (!model.silent).then(|| Heartbeat {
            revision: model.revision().min(last),
            sent_at: Some(model.clock()),
        });
        (news, beat)
    }
}

#[tonic::async_trait]
impl WatchService for Api {
    type WatchStream = Feed<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Reply<Self::WatchStream> {
        let asked = request.into_inner();
        if self.0.is_cut_off() {
            return Err(no_quorum());
        }
        self.0.model.lock().unwrap().last_caller =
            (String::new(), asked.service.clone(), asked.schema_version);
        let limit = match self.0.next_feed_fault() {
            Some(Fault::Refuse(status)) => return Err(status),
            Some(Fault::EndFeedAfter(items)) => items,
            _ => usize::MAX,
        };
        let node = Arc::clone(&self.0);
        let feed = async_stream::stream! {
            let mut from = asked.from_revision;
            if asked.snapshot {
                let (standing, revision) = {
                    let model = node.model.lock().unwrap();
                    (model.events.clone(), model.revision())
                };
                for event in standing {
                    yield watch_response::Item::Standing(Standing {
                        namespace: event.namespace,
                        token: event.tokens[0].token.clone(),
                        purpose: event.purposes[0].clone(),
                        change: Change::OptOut.into(),
                        event_id: event.id,
                        revision: event.revision,
                        signalled: false,
                    });
                }
                yield watch_response::Item::Synced(Synced { revision });
                from = revision + 1;
            }
            if from == 0 {
                from = node.model.lock().unwrap().revision() + 1;
            }
            loop {
                let (news, beat) = node.news(from);
                for event in news {
                    from = event.revision + 1;
                    yield watch_response::Item::Event(event);
                }
                if let Some(beat) = beat {
                    yield watch_response::Item::Heartbeat(beat);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let items = feed
            .take(limit)
            .map(|item| Ok(WatchResponse { item: Some(item) }));
        Ok(Response::new(Box::pin(items)))
    }
}
