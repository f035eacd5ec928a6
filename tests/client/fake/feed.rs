//! The feed of a made-up node.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use refrain::proto::v1::{watch_service_server::*, *};
use tonic::{Request, Response};

use super::{
    Fault,
    model::noon,
    services::{Api, Feed, Reply},
};

#[tonic::async_trait]
impl WatchService for Api {
    type WatchStream = Feed<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Reply<Self::WatchStream> {
        let asked = request.into_inner();
        let limit = match self.0.next_fault() {
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
                    });
                }
                yield watch_response::Item::Synced(Synced { revision });
                from = revision + 1;
            }
            if from == 0 {
                from = node.model.lock().unwrap().revision() + 1;
            }
            loop {
                let (news, revision) = {
                    let model = node.model.lock().unwrap();
                    let news: Vec<Event> =
                        model.events.iter().filter(|it| it.revision >= from).cloned().collect();
                    (news, model.revision())
                };
                for event in news {
                    from = event.revision + 1;
                    yield watch_response::Item::Event(event);
                }
                yield watch_response::Item::Heartbeat(Heartbeat { revision, sent_at: Some(noon()) });
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let items = feed
            .take(limit)
            .map(|item| Ok(WatchResponse { item: Some(item) }));
        Ok(Response::new(Box::pin(items)))
    }
}
