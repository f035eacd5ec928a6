//! A message queue whose consumers drop the events of people who opted out: by the stamp alone, and by a check.
//!
//! The producer asks before it writes an event, and puts the decision into it as a stamp: in a `CloudEvent`, the extension
//! attribute `refrainstamp`. Between the two, one person opts out. A consumer that holds stamps against a live watch needs
//! no call for each event; one that asks for each needs no watch. Where an event goes on by HTTP, the stamp goes with
//! it in the header `Refrain-Stamp`.
//!
//! ```sh
//! refrain serve &
//! cargo run --example queue -- http://127.0.0.1:7400
//! ```

use std::{error::Error, time::Duration};

use http::Request;
use refrain::{
    client::{
        Client, identifier,
        stamps::{LiveStamps, Whose},
    },
    proto::v1::{CheckRequest, GetTokensRequest, Identifier, SetOptOutRequest, identifier::Form},
    stamp::Wanted,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const PURPOSE: &str = "personalization";
const HEADER: &str = "Refrain-Stamp";

/// What the data in the queue is to be used for.
const WANTED: Wanted<'_> = Wanted {
    namespace: "default",
    purpose: PURPOSE,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1);
    let client = Client::builder()
        .endpoint(endpoint.unwrap_or_else(|| "http://127.0.0.1:7400".to_owned()))
        .service("recommendations")
        .build()?;

    // From here on, the consumer knows of every change.
    let stamps = client.live_stamps().start()?;
    tokio::time::timeout(Duration::from_secs(10), stamps.until_live()).await?;

    let (queue, mut events) = mpsc::channel::<Value>(16);
    let run = client.new_request_id();
    for name in ["ada", "grace"] {
        queue
            .send(viewed(&client, &format!("{name}-{run}")).await?)
            .await?;
    }
    drop(queue);

    // The events wait in the queue, and Ada opts out.
    let ada = identifier::value("account", format!("ada-{run}"));
    let stop = SetOptOutRequest {
        identifiers: vec![ada],
        purposes: vec![PURPOSE.to_owned()],
        ..Default::default()
    };
    let done = client.opt_out(stop).await?;
    println!("ada opted out, revision {}", done.revision);
    // A go-ahead may be some moments old. The example waits, so that it shows the same each time.
    while stamps.revision() < done.revision {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    while let Some(event) = events.recv().await {
        let name = event["data"]["name"].as_str().unwrap_or_default();
        let name = name.trim_end_matches(&run).trim_end_matches('-');
        println!("by stamp:  {name:<6} {}", by_stamp(&stamps, &event).await);
        println!("by check:  {name:<6} {}", by_check(&client, &event).await);
        println!(
            "by header: {name:<6} {}",
            by_header(&stamps, &forwarded(&event)?).await
        );
    }
    Ok(())
}

/// The producer: somebody viewed a page. The event holds the person's token and no identifier, and the decision.
async fn viewed(client: &Client, account: &str) -> Result<Value, Box<dyn Error>> {
    let who = vec![identifier::value("account", account)];
    let asked = GetTokensRequest {
        identifiers: who.clone(),
        ..Default::default()
    };
    let tokens = client.get_tokens(asked).await?.tokens;
    let token = match tokens.first().and_then(|it| it.form.as_ref()) {
        Some(Form::Token(token)) => token.clone(),
        _ => return Err("no token".into()),
    };
    let question = CheckRequest {
        identifiers: who,
        purpose: PURPOSE.to_owned(),
        want_stamp: true,
        ..Default::default()
    };
    let allowed = loop {
        let allowed = client.check(question.clone()).await?;
        if !allowed.answer().stamp.is_empty() {
            break allowed;
        }
        // A node that has just been started has no key yet.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    Ok(json!({
        "specversion": "1.0",
        "id": client.new_request_id(),
        "source": "/shop",
        "type": "org.example.page.viewed",
        "subject": token,
        "refrainstamp": allowed.answer().stamp,
        "data": { "name": account, "page": "/engines/difference" },
    }))
}

/// The consumer that asks nobody.
async fn by_stamp(stamps: &LiveStamps, event: &Value) -> String {
    let stamp = event["refrainstamp"].as_str().unwrap_or_default();
    let whose = Whose::Token(event["subject"].as_str().unwrap_or_default());
    match stamps.check(stamp, WANTED, whose).await {
        Ok(_) => "used".to_owned(),
        Err(why) => format!("dropped: {why}"),
    }
}

/// The consumer that asks the authority each time.
async fn by_check(client: &Client, event: &Value) -> String {
    let token = event["subject"].as_str().unwrap_or_default();
    let question = CheckRequest {
        identifiers: vec![Identifier {
            r#type: "account".to_owned(),
            form: Some(Form::Token(token.to_owned())),
        }],
        purpose: PURPOSE.to_owned(),
        ..Default::default()
    };
    match client.check(question).await {
        Ok(_) => "used".to_owned(),
        Err(why) => format!("dropped: {why}"),
    }
}

/// The event as a request to another service: the data as its body, the stamp in its header.
fn forwarded(event: &Value) -> Result<Request<String>, http::Error> {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    Request::post("/views")
        .header(HEADER, text("refrainstamp"))
        .header("ce-subject", text("subject"))
        .body(event["data"].to_string())
}

/// That other service.
async fn by_header(stamps: &LiveStamps, request: &Request<String>) -> String {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.and_then(|it| it.to_str().ok()).unwrap_or_default()
    };
    let whose = Whose::Token(header("ce-subject"));
    match stamps.check(header(HEADER), WANTED, whose).await {
        Ok(_) => "used".to_owned(),
        Err(why) => format!("dropped: {why}"),
    }
}
