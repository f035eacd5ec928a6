//! Evidence and its erasure: what has a key, what is wrapped under what, and what comes too late.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

fn erase(driven: &mut Driven, subjects: &[u8]) -> Reply {
    let body = Body::EraseEvidence(EraseEvidence {
        request_id: driven.next_request_id(),
        namespace: Namespace::default_namespace(),
        tokens: subjects.iter().map(|n| subject(*n)).collect(),
    });
    driven.send(body)
}

fn erased(reply: Reply) -> (bool, u64, u64) {
    match reply.unwrap() {
        Outcome::Erased {
            event_id,
            erased,
            remaining,
            ..
        } => (event_id.is_some(), erased, remaining),
        other => panic!("{other:?}"),
    }
}

fn kept(state: &State) -> Vec<Revision> {
    (1..=state.revision())
        .filter(|at| state.evidence_key(*at).is_some())
        .collect()
}

#[test]
fn a_subjects_evidence_goes_and_everything_else_stays() {
    let mut driven = Driven::new();
    driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
    driven.set(Change::OptIn, &[2], &["sale"]).unwrap();
    driven.set(Change::OptIn, &[3, 1], &["analytics"]).unwrap();
    driven.set(Change::OptOut, &[4], &["sale"]).unwrap();
    assert_eq!(kept(&driven.state), [2, 3, 4]);
    assert_eq!(driven.state.evidence_erased_at(), 0);
    let standing = |state: &State| (state.records(), state.subjects());
    let before = standing(&driven.state);

    assert_eq!(erased(erase(&mut driven, &[1])), (true, 2, 0));
    assert_eq!(kept(&driven.state), [3]);
    assert_eq!(driven.state.evidence_kept(), 1);
    assert_eq!(standing(&driven.state), before);
    let event = driven.events.last().unwrap();
    assert_eq!(event.kind, EventKind::EvidenceErased);
    let Detail::ErasedEvidence(detail) = &event.detail else {
        panic!("{event:?}")
    };
    assert_eq!(detail.revisions, [2, 4]);
    assert!(event.subjects().eq([&subject(1)]));
    assert_eq!(driven.state.evidence_erased_at(), event.revision);
    // The leaf of the opt-in, with the digest of its evidence, is as it was.
    assert!(driven.events[1].evidence_sha256.is_some());

    // Nothing is left of it: no event, and nobody has to do anything.
    let (revision, stale) = (driven.state.revision(), driven.state.stale_evidence_keys());
    assert_eq!(erased(erase(&mut driven, &[1])), (false, 0, 0));
    assert_eq!(erased(erase(&mut driven, &[4])), (false, 0, 0));
    assert_eq!(driven.state.revision(), revision);
    assert_eq!(driven.state.stale_evidence_keys(), stale);
}

#[test]
fn more_than_fits_one_request_is_told() {
    let mut driven = Driven::new();
    let first = limits::ERASED_AT_ONCE as u64;
    let all = first + 5;
    for _ in 0..all {
        // Turned back and forth, so that each is a change.
        driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
        driven.set(Change::OptOut, &[1], &["sale"]).unwrap();
    }
    assert_eq!(driven.state.evidence_kept(), all);
    assert_eq!(erased(erase(&mut driven, &[1])), (true, first, all - first));
    assert_eq!(erased(erase(&mut driven, &[1])), (true, all - first, 0));
    assert_eq!(driven.state.evidence_kept(), 0);
}

#[test]
fn a_retry_erases_nothing_that_came_since() {
    let mut driven = Driven::new();
    driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
    let body = Body::EraseEvidence(EraseEvidence {
        request_id: driven.next_request_id(),
        namespace: Namespace::default_namespace(),
        tokens: vec![subject(1)],
    });
    let first = driven.send(body.clone()).unwrap();
    driven.set(Change::OptIn, &[1], &["analytics"]).unwrap();
    assert_eq!(driven.send(body).unwrap(), first);
    assert_eq!(driven.state.evidence_kept(), 1);
}

/// A new wrapping key of the node that sealed what the fixtures seal.
fn next_sealer() -> Sealer {
    SealingKey::new(&[1; 32]).sealer(0xFEED, &[4; 32])
}

fn rotate(driven: &mut Driven, given_up: &[Revision]) {
    let body = Body::RotateWrappingKey(RotateWrappingKey {
        node_id: 0xFEED,
        since: driven.state.stale_evidence_keys(),
        retired: vec![sealer().id()],
        given_up: given_up.to_vec(),
    });
    driven.send(body).unwrap();
}

#[test]
fn a_wrapping_key_is_retired_when_nothing_is_under_it_and_then_refused() {
    let mut driven = Driven::new();
    driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
    driven.set(Change::OptIn, &[2], &["sale"]).unwrap();
    assert!(!driven.state.must_rotate(0xFEED));
    erase(&mut driven, &[1]).unwrap();
    assert!(driven.state.must_rotate(0xFEED) && driven.state.must_rotate(7));

    // The other subject's is still wrapped under it.
    rotate(&mut driven, &[]);
    assert!(driven.state.must_rotate(0xFEED) && !driven.state.is_retired(sealer().id()));
    let (found, next) = driven.state.evidence_under(sealer().id(), 0);
    assert_eq!(next, None);
    let [(3, key)] = found[..] else {
        panic!("{found:?}")
    };
    let anew = sealer().rewrap(&key, &next_sealer(), &[5; 24]).unwrap();
    let rewrap = RewrapEvidence {
        from: sealer().id(),
        keys: vec![(2, anew), (3, anew)],
    };
    let stale = driven.state.stale_evidence_keys();
    driven.send(Body::RewrapEvidence(rewrap.clone())).unwrap();
    // What was erased does not come back, and its key lies in the log once more.
    assert_eq!(kept(&driven.state), [3]);
    assert_eq!(driven.state.stale_evidence_keys(), stale + 1);
    assert_eq!(driven.state.evidence_key(3), Some(anew));
    // Sent again, or late: it is no longer wrapped under what it was.
    let late = RewrapEvidence {
        keys: vec![(3, key)],
        ..rewrap
    };
    driven.send(Body::RewrapEvidence(late)).unwrap();
    assert_eq!(driven.state.evidence_key(3), Some(anew));

    rotate(&mut driven, &[]);
    assert!(driven.state.is_retired(sealer().id()) && !driven.state.must_rotate(0xFEED));
    assert!(driven.state.must_rotate(7));
    // An opt-in that was sealed before, and was under way until now.
    let late = driven.set(Change::OptIn, &[3], &["sale"]).unwrap_err();
    assert_eq!(late.reason(), "EVIDENCE_OUTDATED");
    assert_eq!(kept(&driven.state), [3]);
}

#[test]
fn what_cannot_be_opened_holds_nobody_up() {
    let mut driven = Driven::new();
    driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
    driven.set(Change::OptIn, &[2], &["sale"]).unwrap();
    driven.set(Change::OptIn, &[3], &["sale"]).unwrap();
    erase(&mut driven, &[1]).unwrap();
    // Only what is named: another that came meanwhile is not lost with it.
    for given_up in [&[3][..], &[2, 3], &[4], &[3, 5]] {
        rotate(&mut driven, given_up);
        assert!(driven.state.must_rotate(0xFEED), "{given_up:?}");
    }
    rotate(&mut driven, &[3, 4]);
    assert!(!driven.state.must_rotate(0xFEED));
    assert_eq!(kept(&driven.state), [3, 4]);
}

#[test]
fn evidence_that_is_not_kept_is_in_the_log_and_counts_as_erased_with_the_next() {
    let mut driven = Driven::new();
    let set = driven.preference(Change::OptIn, &[1], &["sale"]);
    driven.send(Body::SetPreference(set.clone())).unwrap();
    driven.set(Change::OptIn, &[2], &["sale"]).unwrap();
    assert_eq!(driven.state.stale_evidence_keys(), 0);
    // A retry, a repeat, and one that is refused: each came with evidence that nobody keeps.
    let strays: [fn(&mut Driven, SetPreference); 3] = [
        |driven, set| drop(driven.send(Body::SetPreference(set)).unwrap()),
        |driven, _| drop(driven.set(Change::OptIn, &[1], &["sale"]).unwrap()),
        |driven, _| drop(driven.set(Change::OptIn, &[1], &["nothing"]).unwrap_err()),
    ];
    for (n, stray) in (1..).zip(strays) {
        stray(&mut driven, set.clone());
        assert_eq!(driven.state.stale_evidence_keys(), n - 1);
        let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
        driven.state = restored;
        // Whose it was is not known any more: somebody without evidence is erased, and the log has to be purged.
        assert_eq!(erased(erase(&mut driven, &[9])), (false, 0, 0));
        assert_eq!(driven.state.stale_evidence_keys(), n);
        assert!(driven.state.must_rotate(7));
    }
    assert_eq!(erased(erase(&mut driven, &[9])), (false, 0, 0));
    assert_eq!(driven.state.stale_evidence_keys(), 3);

    // Once it was erased, a retry brings it back into the log: that counts at once.
    assert_eq!(erased(erase(&mut driven, &[1])), (true, 1, 0));
    driven.send(Body::SetPreference(set)).unwrap();
    assert_eq!(driven.state.stale_evidence_keys(), 5);
    assert_eq!(kept(&driven.state), [3]);
}

#[test]
fn a_table_of_many_is_looked_through_in_pieces() {
    let mut driven = Driven::new();
    for n in 0..600_u64 {
        let mut set = driven.preference(Change::OptIn, &[0], &["sale"]);
        set.tokens[0].token.bytes[..8].copy_from_slice(&n.to_be_bytes());
        driven.send(Body::SetPreference(set)).unwrap();
    }
    let (mut from, mut all) = (0, Vec::new());
    loop {
        let (found, next) = driven.state.evidence_under(sealer().id(), from);
        assert!(found.len() <= limits::REWRAPPED_KEYS);
        all.extend(found.into_iter().map(|(revision, _)| revision));
        let Some(next) = next else { break };
        from = next;
    }
    assert_eq!(all, kept(&driven.state));
    assert_eq!(all.len(), 600);
    assert!(driven.state.wrapped_by_under_others(0xFEED, &[]));
    assert!(
        !driven
            .state
            .wrapped_by_under_others(0xFEED, &[sealer().id()])
    );
    assert!(!driven.state.wrapped_by_under_others(7, &[]));
}

#[test]
fn a_snapshot_takes_it_along() {
    let mut driven = Driven::new();
    for n in 1..40 {
        driven.set(Change::OptIn, &[n], &["sale"]).unwrap();
    }
    erase(&mut driven, &[5]).unwrap();
    let left = kept(&driven.state);
    rotate(&mut driven, &left);
    let chunks: Vec<_> = driven.state.chunks().collect();
    let whole = || chunks.clone().into_iter().map(Ok::<_, ()>);
    let restored = State::from_chunks(whole()).unwrap();
    assert_eq!(kept(&restored), kept(&driven.state));
    assert_eq!(restored.evidence_kept(), 38);
    assert_eq!(
        restored.evidence_erased_at(),
        driven.state.evidence_erased_at()
    );
    assert_eq!(restored.stale_evidence_keys(), 1);
    assert!(restored.is_retired(sealer().id()) && !restored.must_rotate(0xFEED));
    assert!(restored.chunks().eq(chunks.iter().cloned()));
    // No chunk can be left out in silence.
    for left_out in 0..chunks.len() {
        let some = whole().enumerate().filter(|(at, _)| *at != left_out);
        assert!(
            State::from_chunks(some.map(|(_, chunk)| chunk)).is_err(),
            "{left_out}"
        );
    }
}
