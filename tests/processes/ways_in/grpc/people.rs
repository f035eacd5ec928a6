//! What people want, over gRPC: changed on one node that follows, and asked about on the other.

use refrain::proto::v1::import_opt_outs_request::Part;
use refrain::proto::v1::watch_response::Item;
use refrain::proto::v1::{
    BatchCheckRequest, CheckStreamRequest, CreateLinkRequest, Decision, EraseEvidenceRequest,
    Event, EventKind, Evidence, GetImportRequest, GetPreferencesRequest, GetTokensRequest,
    ImportHeader, ImportOptOutsRequest, ImportRow, ImportRows, ListEventsRequest,
    ListStampKeysRequest, Reason, ReportSignalRequest, SetOptInRequest, SetOptOutRequest,
    SetPreferencesRequest, Signal, VerifyStampRequest, WatchRequest, batch_check_item,
    check_stream_response, decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient, stamp_service_client::StampServiceClient,
    watch_service_client::WatchServiceClient,
};
use tokio::time::timeout;

use super::Site;
use crate::support::{PATIENCE, eventually};
use crate::ways_in::trio::{ADA, question, request_id, who};

const EVE: &str = "eve@example.com";

fn marketing() -> Vec<String> {
    vec!["marketing".to_owned()]
}

fn evidence() -> Evidence {
    Evidence {
        statement: "ticked the box".to_owned(),
        ..Evidence::default()
    }
}

pub async fn change_their_minds(site: &Site) {
    let trio = &site.trio;
    let mut near = PreferenceServiceClient::new(trio.line(site.near, ADA));
    let mut far = PreferenceServiceClient::new(trio.line(site.far, ADA));
    let all = [site.far, site.near, site.leader];
    let asked = question(EVE, "marketing.email");

    // The same request through another node has one effect.
    let out = SetOptOutRequest {
        request_id: request_id(),
        identifiers: who(EVE),
        purposes: marketing(),
        ..SetOptOutRequest::default()
    };
    let done = near.set_opt_out(out.clone()).await.unwrap().into_inner();
    assert_eq!(far.set_opt_out(out).await.unwrap().into_inner(), done);
    trio.all_say(&all, &asked, Reason::OptedOut).await;
    let back = SetOptInRequest {
        identifiers: who(EVE),
        purposes: marketing(),
        evidence: Some(evidence()),
        if_last_revision: Some(done.revision),
        ..SetOptInRequest::default()
    };
    assert!(far.set_opt_in(back).await.unwrap().get_ref().changed);
    trio.all_say(&all, &asked, Reason::OptedIn).await;
    let both = SetPreferencesRequest {
        identifiers: who(EVE),
        opt_out: marketing(),
        opt_in: vec!["analytics".to_owned()],
        evidence: Some(evidence()),
        ..SetPreferencesRequest::default()
    };
    assert!(near.set_preferences(both).await.unwrap().get_ref().changed);
    trio.all_say(&all, &asked, Reason::OptedOut).await;
    let signal = ReportSignalRequest {
        identifiers: who(EVE),
        signal: Signal::Gpc.into(),
        ..ReportSignalRequest::default()
    };
    let kept = near.report_signal(signal).await.unwrap().into_inner();
    let sale = question(EVE, "sale");
    trio.all_say(&all, &sale, Reason::OptedOut).await;

    // What proved her opt-ins is erased, once, whichever node is asked.
    let erase = EraseEvidenceRequest {
        request_id: request_id(),
        identifiers: who(EVE),
        ..EraseEvidenceRequest::default()
    };
    let erased = far
        .erase_evidence(erase.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((erased.erased, erased.remaining), (2, 0));
    let again = near.erase_evidence(erase).await.unwrap().into_inner();
    assert_eq!(again, erased);

    let whose = GetPreferencesRequest {
        identifiers: who(EVE),
        ..GetPreferencesRequest::default()
    };
    let found = far.get_preferences(whose).await.unwrap().into_inner();
    assert_eq!(found.last_revision, kept.revision);
    let history = ListEventsRequest {
        identifiers: who(EVE),
        ..ListEventsRequest::default()
    };
    let events = far.list_events(history).await.unwrap().into_inner().events;
    let kinds: Vec<_> = events.iter().map(Event::kind).collect();
    let [out, r#in] = [EventKind::OptOut, EventKind::OptIn];
    assert_eq!(kinds, [out, EventKind::Preferences, r#in, out]);

    let items = ["marketing.email", "analytics", "nothing"];
    let items = items.map(|purpose| question(EVE, purpose)).to_vec();
    let mut decisions = DecisionServiceClient::new(trio.line(site.far, ADA));
    let batch = BatchCheckRequest { items };
    let results = decisions.batch_check(batch.clone()).await.unwrap();
    let results = results.into_inner().results.into_iter();
    let batched: Vec<_> = results
        .map(|item| match item.result.unwrap() {
            batch_check_item::Result::Ok(answer) => Ok(answer.decision()),
            batch_check_item::Result::Error(error) => Err(error.reason),
        })
        .collect();
    let wanted = [
        Ok(Decision::Deny),
        Ok(Decision::Allow),
        Err("PURPOSE_UNKNOWN".to_owned()),
    ];
    assert_eq!(batched, wanted);
    let numbered = (0..)
        .zip(batch.items)
        .map(|(n, item): (usize, _)| CheckStreamRequest {
            correlation_id: n.to_string(),
            check: Some(item),
        });
    let numbered: Vec<_> = numbered.collect();
    let answers = decisions.check_stream(tokio_stream::iter(numbered)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut streamed = vec![None; wanted.len()];
    while let Some(answer) = timeout(PATIENCE, answers.message()).await.unwrap().unwrap() {
        let place: usize = answer.correlation_id.parse().unwrap();
        streamed[place] = Some(match answer.result.unwrap() {
            check_stream_response::Result::Ok(answer) => Ok(answer.decision()),
            check_stream_response::Result::Error(error) => Err(error.reason),
        });
    }
    assert_eq!(streamed, wanted.map(Some));
}

pub async fn are_imported_and_followed(site: &Site) {
    let trio = &site.trio;
    let mut near = PreferenceServiceClient::new(trio.line(site.near, ADA));
    let mut far = PreferenceServiceClient::new(trio.line(site.far, ADA));
    let mut watches = WatchServiceClient::new(trio.line(site.far, ADA));
    let follow = WatchRequest {
        purposes: vec!["analytics".to_owned()],
        heartbeat_interval_ms: 100,
        ..WatchRequest::default()
    };
    let mut news = watches.watch(follow).await.unwrap().into_inner();

    let import_id = request_id();
    let header = ImportHeader {
        import_id: import_id.clone(),
        ..ImportHeader::default()
    };
    let rows = (0..3).map(|n| ImportRow {
        identifiers: who(&format!("{n}@example.com")),
        purposes: vec!["analytics".to_owned()],
    });
    let rows = ImportRows {
        first_row: 0,
        rows: rows.collect(),
    };
    let parts = [Part::Header(header), Part::Rows(rows)];
    let parts = parts.map(|part| ImportOptOutsRequest { part: Some(part) });
    let report = near.import_opt_outs(tokio_stream::iter(parts)).await;
    let report = report.unwrap().into_inner();
    assert_eq!((report.changed, report.next_row), (3, 3), "{report:?}");
    let import = GetImportRequest {
        import_id,
        ..GetImportRequest::default()
    };
    let come = far.get_import(import).await.unwrap().into_inner();
    assert_eq!(come.next_row, 3);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let sent = timeout(PATIENCE, news.message()).await.unwrap().unwrap();
        match sent.unwrap().item.unwrap() {
            Item::Event(event) => seen.push((event.revision, event.signal())),
            Item::Heartbeat(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let last = report.revision;
    let wanted = [last - 2, last - 1, last].map(|revision| (revision, Signal::Import));
    assert_eq!(seen, wanted);

    let asked = GetTokensRequest {
        identifiers: who("0@example.com"),
        ..GetTokensRequest::default()
    };
    let told = far.get_tokens(asked.clone()).await.unwrap().into_inner();
    assert_eq!(near.get_tokens(asked).await.unwrap().into_inner(), told);
    let mut by_token = question("", "analytics");
    by_token.identifiers = told.tokens;
    let all = [site.far, site.leader];
    trio.all_say(&all, &by_token, Reason::OptedOut).await;
    let wish = CreateLinkRequest {
        identifiers: who("0@example.com"),
        purposes: marketing(),
        ..CreateLinkRequest::default()
    };
    let path = near.create_link(wish.clone()).await.unwrap();
    let path = path.into_inner().path;
    assert!(path.starts_with("/u/"), "{path}");
    let same = far.create_link(wish).await.unwrap().into_inner();
    assert_eq!(same.path, path, "each node makes the same link");
}

pub async fn travel_in_stamps(site: &Site) {
    let trio = &site.trio;
    let mut asked = question("grace@example.com", "analytics");
    asked.want_stamp = true;
    let answer = eventually("a stamp", || async {
        let answer = trio.check(site.near, ADA, asked.clone()).await.unwrap();
        (!answer.stamp.is_empty()).then_some(answer)
    })
    .await;
    let mut far = StampServiceClient::new(trio.line(site.far, ADA));
    let verify = VerifyStampRequest {
        stamp: answer.stamp,
        purpose: "analytics".to_owned(),
        ..VerifyStampRequest::default()
    };
    let verified = far.verify(verify).await.unwrap().into_inner();
    assert_eq!(verified.decision(), Decision::Allow);
    assert_eq!(verified.stamped_revision, answer.revision);
    let keys = far.list_keys(ListStampKeysRequest {}).await.unwrap();
    let keys = keys.into_inner().keys;
    let signer = &trio.nodes[site.near].id;
    assert!(keys.iter().any(|key| key.node_id == *signer), "{keys:?}");
}
