//! A leader that lost its place has entries in its log that nobody else took, or that others took without it: of neither does it know.
//!
//! openraft tells whoever waits for such an entry that it was discarded, in words that look like "was never taken".

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{
    Hands, INSTALLED, PATIENCE, check, cut, decides, id, join, leader, opt_out, others, tell,
};
use crate::calls;
use crate::invariants::history::{Change, Outcome};
use crate::operator::{form, until};
use crate::world::{channel, name};

/// Asks a node to opt a subject out, and waits long for what it says.
fn ask(node: usize, subject: String) -> tokio::task::JoinHandle<Result<Outcome, tonic::Status>> {
    tokio::spawn(async move {
        let (id, purposes) = (id(&subject), ["analytics".to_owned()]);
        let deadline = Duration::from_millis(9_500);
        calls::set(
            channel(node),
            deadline,
            &id,
            Change::OptOut,
            &subject,
            &purposes,
        )
        .await
    })
}

/// From now on nobody takes a change, so that none is tried again with success.
async fn fill(hands: &Hands, nodes: impl IntoIterator<Item = usize>) {
    for node in nodes {
        hands
            .world(move |_, hosts| hosts[node].machine().disk.fill(0))
            .await;
    }
    // The nodes look at an interval.
    sleep(Duration::from_secs(1)).await;
}

#[test]
fn what_the_next_leader_reversed_is_not_acknowledged() {
    tell(91, 3, None, |hands| async move {
        form(3).await;
        let old = leader(0).await;
        let [new, _] = others(old);
        cut(old, others(old));
        let waiting: Vec<_> = (0..6).map(|n| ask(old, format!("stale{n}"))).collect();
        sleep(Duration::from_millis(100)).await;
        // The same places of the log, with other entries.
        for n in 0..6 {
            opt_out(new, &format!("s{n}")).await;
        }
        fill(&hands, 0..3).await;
        join(old, others(old));
        assert_eq!(decides(old, "s5").await, Decision::Deny);
        for waiting in waiting {
            let told = waiting.await.unwrap();
            assert!(told.is_err(), "told of another entry: {told:?}");
        }
        for n in 0..6 {
            for node in 0..3 {
                let (stale, stands) = (format!("stale{n}"), format!("s{n}"));
                assert_eq!(check(node, &stale).await.unwrap(), Decision::Allow);
                assert_eq!(check(node, &stands).await.unwrap(), Decision::Deny);
            }
        }
    });
}

#[test]
fn what_went_on_without_its_leader_is_not_said_to_be_lost() {
    // Snapshots close together and no log behind them: the old leader gets its own entry back inside of one.
    tell(92, 3, Some((300, 0)), |hands| async move {
        form(3).await;
        let old = leader(0).await;
        let [new, other] = others(old);
        for deaf_to in others(old) {
            turmoil::partition_oneway(name(deaf_to), name(old));
        }
        let waiting = ask(old, "s1".to_owned());
        sleep(Duration::from_millis(100)).await;
        cut(old, others(old));
        for subject in 100..130 {
            opt_out(new, &format!("s{subject}")).await;
        }
        assert_eq!(decides(new, "s1").await, Decision::Deny, "it went on");
        // Past the time for which a leader without room is waited for.
        sleep(Duration::from_secs(3)).await;
        fill(&hands, [new, other]).await;
        let before = hands.heard(INSTALLED);
        assert!(!waiting.is_finished(), "it was told something before");
        join(old, others(old));
        until("a snapshot is installed", PATIENCE, || async {
            (hands.heard(INSTALLED) > before).then_some(())
        })
        .await;
        let told = waiting.await.unwrap();
        let outcome = told.unwrap_or_else(|status| calls::failed(&status));
        assert_ne!(
            outcome,
            Outcome::Failed,
            "told that nothing was done, and it was"
        );
        for node in 0..3 {
            assert_eq!(decides(node, "s1").await, Decision::Deny);
        }
    });
}
