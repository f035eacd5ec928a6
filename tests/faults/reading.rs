//! What is read off the cluster: before the faults what its answers mean, meanwhile its states, in the end its journals.

use refrain::proto::v1::{
    GetTokensRequest, ListPurposesRequest, Member, StatusResponse, identifier::Form,
    preference_service_client::PreferenceServiceClient,
    registry_service_client::RegistryServiceClient,
};

use crate::calls::identifiers;
use crate::clients::{RUSH_SUBJECTS, SUBJECTS, rush_subject, subject};
use crate::invariants::history::{Rule, State};
use crate::record::Phase;
use crate::stage::Stage;
use crate::support::{channel, eventually};
use crate::watchers::journal;

impl Stage {
    /// Which purposes there are.
    pub(crate) async fn learn(&self) {
        let purposes = RegistryServiceClient::new(channel(&self.node(0).client).unwrap())
            .list_purposes(ListPurposesRequest {})
            .await
            .unwrap();
        for purpose in purposes.into_inner().purposes {
            let rule = match (purpose.essential, purpose.default_deny) {
                (true, _) => Rule::Essential,
                (_, Some(true)) => Rule::DefaultDeny,
                _ => Rule::DefaultAllow,
            };
            self.record.lock().history.rules.insert(purpose.name, rule);
        }
        let rush: Vec<String> = (0..RUSH_SUBJECTS).map(rush_subject).collect();
        self.know(&rush).await;
        self.age(0).await;
    }

    /// Has clients speak of new subjects.
    pub async fn age(&self, age: usize) {
        let subjects: Vec<String> = (0..SUBJECTS).map(|number| subject(age, number)).collect();
        self.know(&subjects).await;
        self.record.lock().age = age;
    }

    /// Learns which tokens stand for subjects.
    async fn know(&self, subjects: &[String]) {
        for subjects in subjects.chunks(16) {
            let request = GetTokensRequest {
                identifiers: identifiers(subjects),
                ..GetTokensRequest::default()
            };
            let tokens = eventually("tokens are told", || async {
                let place = self.members()[0];
                PreferenceServiceClient::new(channel(&self.node(place).client)?)
                    .get_tokens(request.clone())
                    .await
                    .ok()
            })
            .await;
            let mut record = self.record.lock();
            for (subject, token) in subjects.iter().zip(tokens.into_inner().tokens) {
                let Some(Form::Token(token)) = token.form else {
                    panic!("no token for {subject}");
                };
                record.subjects.insert(token, subject.clone());
            }
        }
    }

    /// Notes what a status says.
    pub(crate) fn understand(&self, status: &StatusResponse) {
        for alarm in &status.alarms {
            // A node that differs is a violation, whatever else is.
            assert!(!alarm.contains("DIFFERS"), "{alarm}");
        }
        let mut record = self.record.lock();
        for member in status.members.iter().filter(|member| member.reachable) {
            let Some(node) = self.peers.iter().position(|it| *it == member.peer_address) else {
                panic!("{} is no node of ours", member.peer_address);
            };
            record.reach(Some(member.revision));
            let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            record.history.states.push(State {
                node,
                revision: member.hash_revision,
                hash: known(&member.state_hash),
                root: None,
            });
            record.history.states.push(State {
                node,
                revision: member.revision,
                hash: None,
                root: known(&member.journal_root),
            });
        }
    }

    /// Reads the members' journals and states, when all have come as far as any.
    pub async fn collect(&mut self) {
        let members = self.members();
        eventually("all members stand at one revision", || async {
            let status = self.status(members[0]).await?;
            let mut record = self.record.lock();
            let goal = record.goal;
            let equal =
                |it: &Member| it.reachable && it.revision == goal && it.journal_events == goal;
            let all = status.members.len() == members.len() && status.members.iter().all(equal);
            // At once: who sees more from here on sees what is not judged.
            all.then(|| record.phase = Phase::Collecting)
        })
        .await;
        let goal = self.record.lock().goal;
        for member in members {
            let journal = eventually("a journal is read", || async {
                journal(member, goal, &self.record).await.ok()
            })
            .await;
            self.record.lock().history.journals.push(journal);
        }
    }
}
