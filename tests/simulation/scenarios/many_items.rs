//! More than 65,535 of everything: subjects, events, requests of one import, entries of one snapshot, items of one stream.

use std::time::Duration;

use refrain::proto::v1::{
    WatchRequest, watch_response::Item, watch_service_client::WatchServiceClient,
};

use super::stage::{INSTALLED, PATIENCE, agree, id, import, tell};
use crate::operator::{add, form, until};
use crate::world::channel;

/// Past what sixteen bits count.
const ITEMS: usize = 66_000;

#[test]
fn more_than_65_535_items_get_through_log_snapshot_and_watch() {
    let told = tell(151, 2, Some((1 << 20, 0)), |_| async move {
        form(1).await;
        let list = id("a list");
        let taken = import(0, &list, 0..ITEMS).await;
        assert_eq!(taken.changed, ITEMS as u64);
        // The second node has all of it from a snapshot.
        until("a node is added", PATIENCE, || add(0, 1)).await;
        agree(2).await;
        let again = import(1, &list, 0..ITEMS).await;
        assert_eq!((again.changed, again.next_row), (0, ITEMS as u64));

        let request = WatchRequest {
            snapshot: true,
            ..WatchRequest::default()
        };
        let mut client = WatchServiceClient::new(channel(1));
        let mut items = client.watch(request).await.unwrap().into_inner();
        let mut standing = 0;
        loop {
            let item = tokio::time::timeout(Duration::from_secs(10), items.message()).await;
            match item.unwrap().unwrap().unwrap().item.unwrap() {
                Item::Standing(_) => standing += 1,
                Item::Synced(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(standing, ITEMS);
    });
    assert!(told.count(INSTALLED) > 0, "none was needed");
}
