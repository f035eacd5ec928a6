//! A voter whose disk was wiped comes back as another node: it has no say and no answers until it is taken in as new.

use refrain::proto::v1::Decision;

use super::stage::{PATIENCE, check, decides, opt_out, others, tell};
use crate::operator::{add, form, member_on, remove, status, until};
use crate::world::channel;

#[test]
fn a_wiped_voter_is_nobody_until_it_is_added() {
    tell(51, 3, None, |hands| async move {
        form(3).await;
        opt_out(0, "s1").await;
        hands.crash(2).await;
        hands.world(|_, hosts| hosts[2].wipe()).await;
        hands.restart(2).await;
        for _ in 0..20 {
            assert!(
                check(2, "s1").await.is_err(),
                "it answers with an empty state"
            );
        }
        // A second voter goes: the wiped one must not stand in for it.
        let [_, other] = others(2);
        hands.crash(other).await;
        let survivor = others(2)[0];
        let alone = check(survivor, "s1").await;
        assert!(!matches!(alone, Ok(Decision::Allow)), "{alone:?}");
        hands.restart(other).await;
        assert_eq!(decides(survivor, "s1").await, Decision::Deny);

        let old = until("the former member is named", PATIENCE, || async {
            let status = status(channel(survivor), PATIENCE / 20).await.ok()?;
            member_on(&status, 2)
        })
        .await;
        until("the former member is removed", PATIENCE, || {
            remove(survivor, &old, false)
        })
        .await;
        until("it is added as new", PATIENCE, || add(survivor, 2)).await;
        assert_eq!(decides(2, "s1").await, Decision::Deny);
    });
}
