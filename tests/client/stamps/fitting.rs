//! Stamps that fit the data, the time and the rules, and those that do not.

use super::*;

#[tokio::test]
async fn what_concerns_everybody_denies_and_floors_hold_here_too() {
    let node = Fake::start();
    ready(&node);
    let client = builder(&[&node], &Wall::at_noon())
        .schema_version(1)
        .build()
        .unwrap();
    let live = live(&client).await;
    goes_ahead(&live, 1, 1).await;
    for kind in [i32::from(EventKind::FeatureLevel), 4_711] {
        let revision = node.model().record(kind, &[]);
        denied(&live, 1, revision - 1, |why| {
            matches!(why, NoGoAhead::RulesChanged { .. })
        })
        .await;
        goes_ahead(&live, 1, revision).await;
    }
    let raised = {
        let mut model = node.model();
        model.purposes.get_mut(PURPOSE).unwrap().schema_floor = 2;
        model.record(EventKind::SchemaFloor.into(), &[])
    };
    // Whoever made the stamp was new enough; this program is not.
    let too_old = |why: &NoGoAhead| {
        let expected = NoGoAhead::SchemaTooOld {
            built: 1,
            needed: 2,
        };
        *why == expected
    };
    denied(&live, 1, raised, too_old).await;
    node.model().purposes.clear();
    let gone = node.model().record(EventKind::Purpose.into(), &[]);
    denied(&live, 1, gone, |why| *why == NoGoAhead::PurposeUnknown).await;
    goes_nowhere(&live, gone);
}

fn goes_nowhere(live: &LiveStamps, last: u64) {
    for revision in 0..=last {
        assert!(judge(live, 1, revision).is_err(), "{revision}");
    }
}

#[tokio::test]
async fn a_stamp_must_fit_the_data() {
    let node = Fake::start();
    ready(&node);
    let live = live(&builder(&[&node], &Wall::at_noon()).build().unwrap()).await;
    let genuine = stamp(1, 1, |_| ());
    let own = token(1);
    let other = token(2);
    let ahead = live.check_now(&genuine, WANTED, Whose::Token(&own));
    let printed = format!("{ahead:?}");
    assert!(printed.contains("revision: 1"), "{printed}");
    assert!(!printed.contains(&own), "{printed}");
    assert!(live.check_now(&genuine, WANTED, Whose::Token(&own)).is_ok());
    assert!(live.check_now(&genuine, WANTED, Whose::TheStamps).is_ok());
    let judged = live.check_now(&genuine, WANTED, Whose::Token(&other));
    assert_eq!(judged, Err(NoGoAhead::SubjectDiffers));
    let wanted = |namespace, purpose| Wanted { namespace, purpose };
    for (wanted, why) in [
        (wanted("acme", PURPOSE), Denied::NamespaceDiffers),
        (wanted("", "marketing"), Denied::PurposeDiffers),
        (
            wanted("default", "marketing.email.weekly"),
            Denied::PurposeDiffers,
        ),
    ] {
        let judged = live.check_now(&genuine, wanted, Whose::Token(&own));
        assert_eq!(judged, Err(NoGoAhead::Stamp(why)));
    }
    let forged = SigningKey::new(&[8; 32]);
    let forged = forged.sign(&Claims {
        cluster_id: hex::encode(CLUSTER),
        subject: token(1),
        tokens: vec![token(1)],
        namespace: "default".to_owned(),
        purposes: vec![PURPOSE.to_owned()],
        decision: Stamped::Allow,
        revision: 1,
        service: String::new(),
        issued_at: seconds(),
        expires_at: seconds() + 900,
        decision_id: String::new(),
    });
    for bad in [
        forged.unwrap(),
        stamp(1, 1, |it| it.cluster_id = "ab".repeat(16)),
        stamp(1, 1, |it| it.decision = Stamped::Deny),
        genuine.replace('.', "+"),
        String::new(),
        "x".repeat(100_000),
    ] {
        let judged = live.check(&bad, WANTED, Whose::TheStamps).await;
        assert!(matches!(judged, Err(NoGoAhead::Stamp(_))), "{judged:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_lengthens_no_stamps_life() {
    let node = Fake::start();
    ready(&node);
    let wall = Wall::at_noon();
    let live = live(&builder(&[&node], &wall).build().unwrap()).await;
    goes_ahead(&live, 1, 1).await;
    let expired = |why: &NoGoAhead| *why == NoGoAhead::Stamp(StampError::Expired.into());
    // A quarter of an hour passes, and the machine's clock stands still.
    node.model().seconds = 899;
    goes_ahead(&live, 1, 1).await;
    node.model().seconds = 900;
    denied(&live, 1, 1, expired).await;
    // The nodes' clock is set back; the machine's has gone on.
    node.model().seconds = 0;
    goes_ahead(&live, 1, 1).await;
    wall.turn(900);
    denied(&live, 1, 1, expired).await;
    // Until the next word after a jump, all is denied; then fresh stamps go ahead by the new time.
    let fresh = stamp(1, 1, |it| {
        it.issued_at += 900;
        it.expires_at += 900;
    });
    let judged = || live.check_now(&fresh, WANTED, Whose::TheStamps).ok();
    let _ = until("fresh stamps go ahead", judged).await;
}

#[tokio::test]
async fn only_the_namespaces_that_are_watched_go_ahead() {
    let node = Fake::start();
    ready(&node);
    let client = builder(&[&node], &Wall::at_noon()).build().unwrap();
    let watching = client
        .live_stamps()
        .heartbeat(BEAT)
        .namespace("acme")
        .start()
        .unwrap();
    let of = |namespace: &'static str| {
        let stamp = stamp(1, 1, |it| it.namespace = namespace.to_owned());
        let wanted = Wanted {
            namespace,
            purpose: PURPOSE,
        };
        watching.check_now(&stamp, wanted, Whose::TheStamps)
    };
    let _ = until("those of acme go ahead", || of("acme").ok()).await;
    assert_eq!(of("default"), Err(NoGoAhead::NamespaceNotWatched));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let node = Fake::start();
    let client = node.client();
    for heartbeat in [
        Duration::ZERO,
        Duration::from_millis(99),
        Duration::from_secs(6),
    ] {
        assert!(client.live_stamps().heartbeat(heartbeat).start().is_err());
    }
}

#[tokio::test]
async fn a_reader_tells_genuine_stamps_from_others_and_keeps_the_keys() {
    let node = Fake::start();
    let client = builder(&[&node], &Wall::at_noon()).build().unwrap();
    let stamps = client.stamps();
    let genuine = stamp(1, 7, |_| ());
    // No key is registered yet: nobody signed this.
    let unknown = Err(NoGoAhead::Stamp(StampError::UnknownKey.into()));
    assert_eq!(stamps.read(&genuine, WANTED).await, unknown);
    assert_eq!(node.calls(), 1);
    // Asked again at once, the cluster is left alone.
    ready(&node);
    assert_eq!(stamps.read(&genuine, WANTED).await, unknown);
    assert_eq!(node.calls(), 1);
    let begun = Instant::now();
    let read = loop {
        if let Ok(read) = stamps.read(&genuine, WANTED).await {
            break read;
        }
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((read.revision(), read.tokens()), (7, &[token(1)][..]));
    assert_eq!(node.calls(), 2);
    let denied = stamp(1, 7, |it| it.decision = Stamped::Deny);
    let said = Err(NoGoAhead::Stamp(Denied::Said { revision: 7 }));
    assert_eq!(stamps.read(&denied, WANTED).await, said);
    // With the keys at hand, nobody is asked.
    node.kill();
    assert!(stamps.read(&genuine, WANTED).await.is_ok());
    let judged = client.stamps().read(&genuine, WANTED).await;
    assert!(
        matches!(judged, Err(NoGoAhead::KeysUnread(_))),
        "{judged:?}"
    );
}

#[tokio::test]
async fn readers_who_wait_share_one_call_for_the_keys_and_its_failure() {
    let node = Fake::start();
    ready(&node);
    let readers = 20;
    node.fail((0..readers).map(|_| Fault::Hang));
    // Longer than the second for which nobody asks again.
    let client = builder(&[&node], &Wall::at_noon())
        .deadline(Duration::from_millis(1_300))
        .build()
        .unwrap();
    let stamps = client.stamps();
    let genuine = stamp(1, 7, |_| ());
    let reads = (0..readers).map(|_| stamps.read(&genuine, WANTED));
    for read in futures::future::join_all(reads).await {
        assert!(matches!(read, Err(NoGoAhead::KeysUnread(_))), "{read:?}");
    }
    assert_eq!(node.calls(), 1);
}
