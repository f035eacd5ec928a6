//! Asking whether data may be used: an ALLOW of this very call, or a denial with its cause.

use std::fmt;

use super::{
    ANSWER_BYTES_MAX, Client,
    call::Effect,
    endpoints::Channel,
    error::{Error, Outcome},
};
use crate::proto::v1::{
    BatchCheckRequest, CheckRequest, CheckResponse, Decision, batch_check_item,
    decision_service_client::DecisionServiceClient,
};

/// Processing is permitted. Exists only as the answer to a call that this client just made: it is never kept, and no
/// error, timeout or unknown value ever turns into it.
#[derive(Clone)]
pub struct Allowed(Box<CheckResponse>);

impl Allowed {
    /// The answer in full, to be quoted.
    pub fn answer(&self) -> &CheckResponse {
        &self.0
    }
}

/// Do not process.
#[derive(Debug, Clone)]
pub struct Denied {
    /// Why.
    pub cause: Cause,
}

/// Why processing is denied.
#[derive(Clone)]
pub enum Cause {
    /// The cluster decided so.
    Decided(Box<CheckResponse>),
    /// There is no answer, which denies too.
    Unanswered(Error),
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Allowed").field(&Shown(&self.0)).finish()
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(answer) => f.debug_tuple("Decided").field(&Shown(answer)).finish(),
            Self::Unanswered(error) => f.debug_tuple("Unanswered").field(error).finish(),
        }
    }
}

/// An answer as it may be printed: without its stamp, which names the person's tokens to whoever reads it.
struct Shown<'a>(&'a CheckResponse);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckResponse")
            .field("decision", &self.0.decision())
            .field("reason", &self.0.reason())
            .field("revision", &self.0.revision)
            .finish_non_exhaustive()
    }
}

impl Denied {
    /// The error, where there was no answer.
    pub fn error(&self) -> Option<&Error> {
        match &self.cause {
            Cause::Decided(_) => None,
            Cause::Unanswered(error) => Some(error),
        }
    }

    /// The decision, where there was one.
    pub fn answer(&self) -> Option<&CheckResponse> {
        match &self.cause {
            Cause::Decided(answer) => Some(answer),
            Cause::Unanswered(_) => None,
        }
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self {
            cause: Cause::Unanswered(error),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Decided(answer) => write!(
                f,
                "denied at revision {}: {}",
                answer.revision,
                answer.reason().as_str_name()
            ),
            Cause::Unanswered(error) => write!(f, "denied, because there is no answer: {error}"),
        }
    }
}

impl std::error::Error for Denied {}

impl Client {
    /// Asks about one subject and purpose.
    ///
    /// # Errors
    /// Everything but an ALLOW: a denial by the cluster, a refusal, no answer in time.
    pub async fn check(&self, mut question: CheckRequest) -> Result<Allowed, Denied> {
        self.complete(&mut question);
        let min_revision = question.min_revision;
        let answer = self
            .send(Effect::Reads, question, |channel, request| async move {
                decisions(channel).check(request).await
            })
            .await?;
        judge(answer, min_revision)
    }

    /// Asks up to 1,000 questions, answered at one revision. As many results as questions, in the same order; where
    /// the call as a whole failed, each is denied.
    pub async fn batch_check(
        &self,
        mut questions: Vec<CheckRequest>,
    ) -> Vec<Result<Allowed, Denied>> {
        for question in &mut questions {
            self.complete(question);
        }
        let floors: Vec<u64> = questions.iter().map(|it| it.min_revision).collect();
        let request = BatchCheckRequest { items: questions };
        let answered = self
            .send(Effect::Reads, request, |channel, request| async move {
                decisions(channel).batch_check(request).await
            })
            .await;
        let all = |error: Error| {
            let denied = Denied::from(error);
            floors.iter().map(|_| Err(denied.clone())).collect()
        };
        let results = match answered {
            Ok(answer) if answer.results.len() == floors.len() => answer.results,
            Ok(_) => return all(contradicts("not as many results as questions")),
            Err(error) => return all(error),
        };
        let items = results.into_iter().zip(&floors);
        items
            .map(|(item, &min_revision)| match item.result {
                Some(batch_check_item::Result::Ok(answer)) => judge(answer, min_revision),
                Some(batch_check_item::Result::Error(error)) => Err(Error::from_item(error).into()),
                None => Err(contradicts("an item without a result").into()),
            })
            .collect()
    }

    fn complete(&self, question: &mut CheckRequest) {
        self.tenant(&mut question.namespace);
        self.caller(&mut question.service, &mut question.schema_version);
    }
}

fn decisions(channel: Channel) -> DecisionServiceClient<Channel> {
    DecisionServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// The one place where an answer becomes an ALLOW.
pub(super) fn judge(answer: CheckResponse, min_revision: u64) -> Result<Allowed, Denied> {
    if answer.revision < min_revision {
        return Err(contradicts(&format!(
            "the answer is of revision {}, older than the {min_revision} asked for",
            answer.revision
        ))
        .into());
    }
    match Decision::try_from(answer.decision) {
        Ok(Decision::Allow) => Ok(Allowed(Box::new(answer))),
        Ok(Decision::Deny) => Err(Denied {
            cause: Cause::Decided(Box::new(answer)),
        }),
        Ok(Decision::Unspecified) | Err(_) => {
            Err(contradicts("the answer holds no decision").into())
        }
    }
}

fn contradicts(message: &str) -> Error {
    Error::invalid_answer(Outcome::NotApplied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stamp_is_printed() {
        let answer = CheckResponse {
            revision: 4_711,
            stamp: "header.claims.signature".to_owned(),
            ..CheckResponse::default()
        };
        let allowed = Allowed(Box::new(answer.clone()));
        let denied = Denied {
            cause: Cause::Decided(Box::new(answer)),
        };
        for printed in [format!("{allowed:?}"), format!("{denied:?}")] {
            assert!(printed.contains("revision: 4711"), "{printed}");
            assert!(!printed.contains("claims"), "{printed}");
        }
    }
}
