//! `WatchService`: the feed of committed events.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use tonic::{Request, Response, Status};

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    status::Failure,
};
use crate::{
    admission::{Permission, admit},
    authority::StartWatch,
    domain::{Refusal, Revision, ServiceName},
    feed::{self, Filter, Item},
    limits,
    proto::v1::{
        Heartbeat, Synced, WatchRequest, WatchResponse, watch_response,
        watch_service_server::WatchService,
    },
};

/// The service.
pub(super) struct Watches(pub(super) Api);

#[tonic::async_trait]
impl WatchService for Watches {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Self(api) = self;
        let (call, request) = api.open(request)?;
        let (_, items) = api.watch(call, request).await?;
        Ok(Response::new(items.err_into().boxed()))
    }
}

impl Api {
    /// Follows the feed: the first revision that follows, and what does.
    pub(super) async fn watch(
        &self,
        call: Call,
        request: WatchRequest,
    ) -> Result<
        (
            Revision,
            impl Stream<Item = Result<WatchResponse, Failure>> + Send + use<>,
        ),
        Failure,
    > {
        let heartbeat = heartbeat(request.heartbeat_interval_ms)?;
        let (namespaces, purposes) = convert::filters(&request.namespaces, &request.purposes)?;
        let tokens = convert::token_filter(&request.tokens)?;
        let service = ServiceName::parse(&request.service)?;
        if request.snapshot && request.from_revision != 0 {
            return Err(Input::SnapshotFromRevision.into());
        }
        let permit = if request.snapshot {
            Some(self.snapshot_permit()?)
        } else {
            None
        };
        let start = StartWatch {
            from_revision: request.from_revision,
            snapshot: request.snapshot,
            namespaces: namespaces.clone(),
            purposes: purposes.clone(),
            schema_version: request.schema_version,
        };
        let admitted = admit(&call.caller, start)?;
        // As for any call: the watch itself has no deadline, only its beginning.
        let started = self
            .authority()
            .read(admitted, call.deadline.one_of_many())
            .await
            .inspect_err(|failed| self.count_read(&service, request.schema_version, failed))?;
        self.authority()
            .usage()
            .call(&service, request.schema_version, false);
        let feed = &self.parts().feed;
        let earliest = feed.earliest();
        if started.from < earliest {
            let asked = started.from;
            return Err(Refusal::RevisionCompacted { asked, earliest }.into());
        }
        let filter = Filter {
            namespaces,
            purposes,
            tokens,
        };
        let standing = started.state.map(|state| {
            let filter = filter.clone();
            feed::standing(state, filter).inspect(move |_| {
                // The permit lives as long as the snapshot is read.
                let _ = &permit;
            })
        });
        let (api, shows_addresses) = (self.clone(), call.caller.holds(Permission::Cluster));
        let items = stream::iter(standing)
            .flatten()
            .map(Ok)
            .chain(feed.follow(started.from, filter, heartbeat))
            .map(move |item| match item {
                Ok(item) => Ok(api.watched(item, shows_addresses)),
                Err(end) => Err(end.into()),
            });
        Ok((started.from, items))
    }

    fn snapshot_permit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.0.snapshots)
            .try_acquire_owned()
            .map_err(|_| Failure::TooManySnapshots)
    }

    fn watched(&self, item: Item, shows_addresses: bool) -> WatchResponse {
        let item = match item {
            Item::Standing(standing) => {
                watch_response::Item::Standing(answers::standing(&standing))
            }
            Item::Synced(revision) => watch_response::Item::Synced(Synced { revision }),
            Item::Event(event) => {
                let mut event = answers::event(*event);
                // Where nodes are found is for those who look after the cluster.
                if let Some(membership) = event.membership.as_mut().filter(|_| !shows_addresses) {
                    membership.peer_address.clear();
                }
                watch_response::Item::Event(event)
            }
            Item::Heartbeat(revision) => watch_response::Item::Heartbeat(Heartbeat {
                revision,
                sent_at: Some(answers::timestamp(self.parts().clock.now())),
            }),
        };
        WatchResponse { item: Some(item) }
    }
}

fn heartbeat(asked_ms: u32) -> Result<Duration, Input> {
    match asked_ms {
        0 => Ok(limits::HEARTBEAT_DEFAULT_MS),
        limits::HEARTBEAT_MIN_MS..=limits::HEARTBEAT_MAX_MS => Ok(asked_ms),
        _ => Err(Input::HeartbeatInvalid),
    }
    .map(|millis| Duration::from_millis(millis.into()))
}
