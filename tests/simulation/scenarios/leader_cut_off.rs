//! A leader that is cut off from the others never allows what was opted out of behind its back, and commits nothing without a quorum.

use refrain::proto::v1::Decision;

use super::stage::{check, decides, id, leader, opt_out, others, set, tell};
use crate::invariants::history::Change;
use crate::operator::form;
use crate::world::name;

#[test]
fn nobody_allows_after_an_acknowledged_opt_out() {
    tell(4_711, 3, None, |_| async {
        form(3).await;
        opt_out(1, "s1").await;
        for node in 0..3 {
            assert_eq!(check(node, "s1").await.unwrap(), Decision::Deny);
            assert_eq!(check(node, "s2").await.unwrap(), Decision::Allow);
        }
        let old = leader(0).await;
        for other in others(old) {
            turmoil::partition(name(old), name(other));
        }
        opt_out(others(old)[0], "s2").await;
        // From here on nobody may allow. The old leader cannot know, and must not answer.
        let mut refused = 0;
        for _ in 0..20 {
            match check(old, "s2").await {
                Ok(decision) => assert_eq!(decision, Decision::Deny, "the old leader allows"),
                Err(_) => refused += 1,
            }
            for other in others(old) {
                if let Ok(decision) = check(other, "s2").await {
                    assert_eq!(decision, Decision::Deny, "node {other} allows");
                }
            }
        }
        assert!(refused > 0, "the old leader answered: was it cut off?");
        let lonely = set(old, &id("lonely"), Change::OptOut, "s3").await;
        assert!(lonely.is_err(), "a leader without a quorum acknowledged");

        for other in others(old) {
            turmoil::repair(name(old), name(other));
        }
        for node in 0..3 {
            assert_eq!(decides(node, "s2").await, Decision::Deny, "node {node}");
        }
        assert_ne!(leader(old).await, old, "it stood by its lost term");
    });
}
