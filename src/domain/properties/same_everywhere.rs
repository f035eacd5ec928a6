//! Every node has the same state: whatever its hash seeds, whether it applied all or came in by a snapshot.

use proptest::prelude::*;

use super::player::Player;
use super::script::{IMPORTS, REMEMBERED, scripts};
use crate::domain::fixtures::*;
use crate::domain::*;

fn chunks(state: &State) -> Vec<Vec<u8>> {
    state.chunks().collect()
}

fn restored(state: &State) -> State {
    let mut restored = State::from_chunks(state.chunks().map(Ok::<_, ()>)).unwrap();
    restored.size_tables(REMEMBERED, IMPORTS);
    restored
}

proptest! {
    #[test]
    fn nodes_agree(script in scripts(), joins in 0..60_usize) {
        let mut player = Player::new();
        // One node applies what came through the log's encoding; another joins on the way, by a snapshot.
        let mut follower = Player::new().driven.state;
        let mut learner: Option<State> = None;
        for (at, step) in script.iter().enumerate() {
            if at == joins {
                learner = Some(restored(&player.driven.state));
            }
            let Some(command) = player.command(step) else { continue };
            let stored = Command::decode(&command.encode()).unwrap();
            prop_assert_eq!(&stored, &command);
            let reply = player.driven.apply(&command);
            for state in [Some(&mut follower), learner.as_mut()].into_iter().flatten() {
                let applied = state.apply(&stored);
                prop_assert_eq!(&applied.reply, &reply);
                let from = player.driven.events.len() - applied.events.len();
                let ours = player.driven.events[from..].iter();
                prop_assert!(applied.events.iter().map(|(event, _)| event).eq(ours));
                prop_assert_eq!(state.hash(), player.driven.state.hash());
            }
        }
        let expected = chunks(&player.driven.state);
        prop_assert_eq!(&chunks(&follower), &expected);
        if let Some(learner) = learner {
            prop_assert_eq!(&chunks(&learner), &expected);
        }
        prop_assert_eq!(&chunks(&restored(&follower)), &expected);
    }

    #[test]
    fn a_clone_stands_still(script in scripts(), at in 0..60_usize) {
        let mut player = Player::new();
        let mut kept = None;
        for (number, step) in script.iter().enumerate() {
            if number == at {
                let state = player.driven.state.clone();
                kept = Some((chunks(&state), state.hash(), state));
            }
            if let Some(command) = player.command(step) {
                let _ = player.driven.apply(&command);
            }
        }
        if let Some((before, hash, state)) = kept {
            prop_assert_eq!(state.hash(), hash);
            prop_assert_eq!(chunks(&state), before);
        }
    }
}

#[test]
fn hash_points_are_the_same_after_a_snapshot() {
    let mut driven = Driven::new();
    let mut learner: Option<State> = None;
    for n in 0..2_500_u64 {
        if n == 1_500 {
            learner = Some(State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap());
        }
        let mut set = driven.preference(Change::OptOut, &[0], &["sale"]);
        set.tokens[0].token.bytes[..8].copy_from_slice(&n.to_be_bytes());
        let command = driven.command(Body::SetPreference(set));
        driven.apply(&command).unwrap();
        if let Some(learner) = &mut learner {
            learner.apply(&command).reply.unwrap();
        }
    }
    let points: Vec<_> = driven.state.hash_points().collect();
    assert_eq!(
        points
            .iter()
            .map(|(revision, _)| *revision)
            .collect::<Vec<_>>(),
        [1_024, 2_048]
    );
    assert!(learner.unwrap().hash_points().eq(points));
}
