//! A shop of three services on a cluster of three: one asks each time, one obeys stamps, and one goes on with what it was once told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use refrain::proto::v1::{
    CheckRequest, CheckResponse, Decision, Processing, ReportProcessingRequest, VerifyStampRequest,
    decision_service_client::DecisionServiceClient, monitor_service_client::MonitorServiceClient,
    stamp_service_client::StampServiceClient,
};
use serde_json::Value;

use crate::support::eventually;
use crate::ways_in::trio::{ADA, STEADY, Trio, question, unless_away, who};

/// The customers.
const CUSTOMERS: usize = 60;
/// Every so many of them opts out.
const OUT_EVERY: usize = 3;
const PURPOSE: &str = "analytics";

fn customer(number: usize) -> String {
    format!("customer{number}@example.com")
}

fn opts_out(number: usize) -> bool {
    number.is_multiple_of(OUT_EVERY)
}

/// A service at work, at one node.
struct Service<'a> {
    trio: &'a Trio,
    place: usize,
    name: &'static str,
    /// What it has processed and not reported yet.
    done: Vec<Processing>,
}

impl Service<'_> {
    async fn ask(&self, number: usize) -> CheckResponse {
        let asked = CheckRequest {
            service: self.name.to_owned(),
            want_stamp: true,
            ..question(&customer(number), PURPOSE)
        };
        eventually("an answer with a stamp", || async {
            let mut client = DecisionServiceClient::new(self.trio.line(self.place, ADA));
            let answer = unless_away(client.check(asked.clone()).await)?.into_inner();
            (!answer.stamp.is_empty()).then_some(answer)
        })
        .await
    }

    /// Whether a stamp still holds, as the cluster tells.
    async fn holds(&self, stamp: &str) -> bool {
        let verify = VerifyStampRequest {
            stamp: stamp.to_owned(),
            purpose: PURPOSE.to_owned(),
            service: self.name.to_owned(),
            ..VerifyStampRequest::default()
        };
        let told = eventually("a stamp is verified", || async {
            let mut client = StampServiceClient::new(self.trio.line(self.place, ADA));
            unless_away(client.verify(verify.clone()).await)
        });
        told.await.into_inner().decision() == Decision::Allow
    }

    /// Processes somebody's data, by this service's clock, under an answer or a stamp.
    fn process(&mut self, number: usize, at: SystemTime, decision_id: &str, stamp: &str) {
        self.done.push(Processing {
            identifiers: who(&customer(number)),
            purpose: PURPOSE.to_owned(),
            processed_at: Some(at.into()),
            decision_id: decision_id.to_owned(),
            stamp: stamp.to_owned(),
        });
    }

    async fn report(&mut self) {
        let batches: Vec<_> = self
            .done
            .chunks(25)
            .map(|reports| ReportProcessingRequest {
                service: self.name.to_owned(),
                reports: reports.to_vec(),
                ..ReportProcessingRequest::default()
            })
            .collect();
        let mut client = MonitorServiceClient::new(self.trio.line(self.place, ADA));
        let count = batches.len();
        let stream = tokio_stream::iter(batches);
        let mut answers = client.report_processing(stream).await.unwrap().into_inner();
        let (mut answered, mut judged) = (0, 0);
        while let Some(answer) = answers.message().await.unwrap() {
            assert!(answer.refused.is_empty(), "{answer:?}");
            answered += 1;
            judged += answer.judged;
        }
        assert_eq!(
            (answered, u64::from(judged)),
            (count, self.done.len() as u64)
        );
        self.done.clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_that_ignores_opt_outs_is_named_with_each_event() {
    let trio = Trio::start(&STEADY).await;
    let service = |place, name| Service {
        trio: &trio,
        place,
        name,
        done: Vec::new(),
    };
    let mut newsletter = service(0, "newsletter");
    let mut recommender = service(1, "recommender");
    let mut partner_feed = service(2, "partner-feed");

    // Everybody is asked about, and processed.
    let now = SystemTime::now();
    let (mut stamps, mut once) = (BTreeMap::new(), BTreeMap::new());
    for number in 0..CUSTOMERS {
        let answer = newsletter.ask(number).await;
        newsletter.process(number, now, &answer.decision_id, "");
        let answer = recommender.ask(number).await;
        recommender.process(number, now, "", &answer.stamp);
        stamps.insert(number, answer.stamp);
        let answer = partner_feed.ask(number).await;
        partner_feed.process(number, now, &answer.decision_id, "");
        once.insert(number, answer.decision_id);
    }

    // Some say stop.
    let mut opt_outs = BTreeSet::new();
    for number in (0..CUSTOMERS).filter(|number| opts_out(*number)) {
        let done = trio.opt_out(number % 3, &customer(number), PURPOSE).await;
        opt_outs.insert(done.event_id);
    }

    // And everybody is to be processed again: one service asks, one looks at its stamps, one remembers that it may.
    let later = SystemTime::now() + Duration::from_secs(10);
    for number in 0..CUSTOMERS {
        let answer = newsletter.ask(number).await;
        if answer.decision() == Decision::Allow {
            newsletter.process(number, later, &answer.decision_id, "");
        }
        if recommender.holds(&stamps[&number]).await {
            recommender.process(number, later, "", &stamps[&number]);
        }
        partner_feed.process(number, later, &once[&number], "");
    }
    for service in [&mut newsletter, &mut recommender, &mut partner_feed] {
        service.report().await;
    }

    let told = trio.run(1, ADA, &["violations"]);
    let told = told["violations"].as_array().unwrap();
    let mut count = 0;
    for found in told {
        assert_eq!(found["service"], "partner-feed", "{found}");
        assert_eq!(found["kind"], "AFTER_OPT_OUT", "{found}");
        assert_eq!(found["purpose"], PURPOSE);
        count += found["count"].as_u64().unwrap();
        for sample in found["samples"].as_array().unwrap() {
            let opt_out = sample["opt_out_event_id"].as_str().unwrap();
            assert!(opt_outs.contains(opt_out), "{sample}");
        }
        // Each is an event of the journal, whose receipt anybody may hold against the keys.
        let revision = found["revision"].to_string();
        let receipt = trio.run(0, ADA, &["receipt", &revision]);
        assert_eq!(receipt["dct:identifier"], found["event_id"]);
    }
    assert_eq!(count, opt_outs.len() as u64);

    // An auditor takes along what concerns that service: the same events, and no other.
    let args = ["audit", "export", "--of-service", "partner-feed"];
    let output = trio.output(1, ADA, &args);
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let exported = lines.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["violations"]["event_id"].clone()
    });
    let exported: BTreeSet<String> = exported.map(|it| it.to_string()).collect();
    let violations = told.iter().map(|it| it["event_id"].to_string());
    assert_eq!(exported, violations.collect());

    let score = |name: &str| {
        let told: Value = trio.run(2, ADA, &["score", name]);
        told["scores"][0]["score"].as_f64().unwrap()
    };
    assert!((score("newsletter") - 100.0).abs() < f64::EPSILON);
    assert!((score("recommender") - 100.0).abs() < f64::EPSILON);
    // 20 of its 120 reports were wrong: 83.33.
    assert!((score("partner-feed") - 83.33).abs() < 0.01);
}
