//! `StampService`: decisions that travel signed, the keys that they are verified with, and whether they still hold.

use tonic::{Request, Response, Status};

use super::{
    Api, Call,
    convert::{self, answers},
    deadline::Deadline,
    input::Input,
    status::Failure,
};
use crate::{
    admission::{admit, admit_anybody},
    authority::{Check, CheckStamped, ListStampKeys, Signer, StampKeys, StampedCheck, Subject},
    domain::{
        Decision, IdentifierType, Millis, PurposeName, Refusal, ServiceName, SubjectToken, Token,
        Verdict, check_tokens,
    },
    proto::v1::{
        self, ListStampKeysRequest, ListStampKeysResponse, VerifyStampRequest, VerifyStampResponse,
        stamp_service_server::StampService,
    },
    stamp::{Claims, KeySet, PublicKey, StampError, Stamped},
};

/// The service.
pub(super) struct Stamps(pub(super) Api);

#[tonic::async_trait]
impl StampService for Stamps {
    async fn verify(
        &self,
        request: Request<VerifyStampRequest>,
    ) -> Result<Response<VerifyStampResponse>, Status> {
        self.0.unary(request, Api::verify_stamp).await
    }

    async fn list_keys(
        &self,
        request: Request<ListStampKeysRequest>,
    ) -> Result<Response<ListStampKeysResponse>, Status> {
        let Self(api) = self;
        let deadline = Deadline::of(request.metadata().as_ref(), api.parts().deadlines);
        let found = api.stamp_keys(&deadline).await?;
        Ok(Response::new(ListStampKeysResponse {
            cluster_id: hex::encode(found.cluster_id),
            revision: found.revision,
            keys: found.keys.iter().filter_map(listed).collect(),
        }))
    }
}

fn key_set(found: &StampKeys) -> KeySet {
    let keys = found.keys.iter();
    let keys = keys.filter_map(|key| PublicKey::from_bytes(&key.public_key));
    KeySet::new(&found.cluster_id, keys)
}

/// A key as it is listed; one that is none verifies nothing, and is left out.
fn listed(key: &crate::domain::StampKey) -> Option<v1::StampKey> {
    Some(v1::StampKey {
        kid: PublicKey::from_bytes(&key.public_key)?.kid().to_owned(),
        public_key: key.public_key.to_vec(),
        node_id: crate::domain::NodeId(key.node_id).to_string(),
        added_at: Some(answers::timestamp(key.added_at)),
        accepted_until: key.accepted_until.map(answers::timestamp),
    })
}

impl Api {
    /// The keys that stamps are verified with; open to everybody.
    async fn stamp_keys(&self, deadline: &Deadline) -> Result<StampKeys, Failure> {
        let admitted = admit_anybody(ListStampKeys)?;
        Ok(self.authority().read(admitted, deadline.step()).await?)
    }

    /// The keys as a set, for whoever verifies stamps without a client of ours.
    pub(super) async fn key_set(&self, deadline: &Deadline) -> Result<KeySet, Failure> {
        Ok(key_set(&self.stamp_keys(deadline).await?))
    }

    /// Tells whether a stamp is genuine, and what the decision is now: keys and decision of one revision, by one read.
    pub(super) async fn verify_stamp(
        &self,
        call: Call,
        request: VerifyStampRequest,
    ) -> Result<VerifyStampResponse, Failure> {
        let service = ServiceName::parse(&request.service)?;
        let purpose = PurposeName::parse(&request.purpose)?;
        let namespace = convert::namespace(&request.namespace)?;
        let whose = match request.identifiers {
            named if named.is_empty() => Vec::new(),
            named => self.tokens(&namespace, named)?,
        };
        let claimed = Claims::unverified(&request.stamp)?;
        let check = Check {
            subject: Subject {
                namespace,
                tokens: tokens(&claimed)?,
            },
            purpose,
            service,
            schema_version: request.schema_version,
            // It was reached when the stamp was made; a cluster that has not is one put back from a backup.
            min_revision: claimed.revision,
        };
        let admitted = admit(&call.caller, CheckStamped(check))?;
        let deadline = call.deadline.step();
        let StampedCheck {
            keys,
            check,
            verdict,
        } = self.authority().read(admitted, deadline).await?;
        let claims = key_set(&keys).verify(&request.stamp, seconds(keys.at))?;
        if claims.namespace != check.subject.namespace.as_str() {
            return Err(Input::StampNamespaceDiffers.into());
        }
        if !claims
            .purposes
            .iter()
            .any(|it| it == check.purpose.as_str())
        {
            return Err(Input::StampPurposeDiffers.into());
        }
        if !whose.iter().all(|named| is_about(&claims, named)) {
            return Err(Input::StampSubjectDiffers.into());
        }
        self.count_answer(&check.service, check.schema_version, verdict.as_ref());
        let now = self.answer(&check, &verdict?, None);
        Ok(VerifyStampResponse {
            decision: now.decision,
            reason: now.reason,
            event_id: now.event_id,
            revision: now.revision,
            evaluated_at: now.evaluated_at,
            decision_id: now.decision_id,
            override_id: now.override_id,
            stamped_decision: match claims.decision {
                Stamped::Allow => v1::Decision::Allow.into(),
                Stamped::Deny => v1::Decision::Deny.into(),
            },
            stamped_revision: claims.revision,
            tokens: claims.tokens,
        })
    }

    /// The decision as a stamp; empty for an ALLOW under an override, which must be asked for each time.
    pub(super) fn stamp(
        &self,
        signer: &Signer,
        check: &Check,
        verdict: &Verdict,
        decision_id: &str,
    ) -> String {
        if verdict.override_id.is_some() {
            return String::new();
        }
        let tokens = check.subject.tokens.iter();
        let tokens: Vec<String> = tokens.map(|subject| subject.token.to_string()).collect();
        let issued_at = seconds(verdict.evaluated_at);
        let claims = Claims {
            cluster_id: hex::encode(signer.cluster_id),
            subject: tokens.first().cloned().unwrap_or_default(),
            tokens,
            namespace: check.subject.namespace.to_string(),
            purposes: vec![check.purpose.to_string()],
            decision: match verdict.decision {
                Decision::Allow => Stamped::Allow,
                Decision::Deny => Stamped::Deny,
            },
            revision: verdict.revision,
            service: check.service.to_string(),
            issued_at,
            expires_at: issued_at.saturating_add(self.parts().stamp_life.as_secs()),
            decision_id: decision_id.to_owned(),
        };
        // What was decided fits a stamp; should it ever not, there is none, and whoever wants one denies.
        signer.key.sign(&claims).unwrap_or_default()
    }
}

fn is_about(claims: &Claims, named: &SubjectToken) -> bool {
    claims.tokens.contains(&named.token.to_string())
}

fn seconds(at: Millis) -> u64 {
    at.0 / 1_000
}

/// The kind of identifier that a stamp's tokens are said to be of: a token tells nothing of that, and no decision asks.
const KIND: &str = "stamped";

fn tokens(claims: &Claims) -> Result<Vec<SubjectToken>, Failure> {
    let token = |text: &String| {
        Ok(SubjectToken {
            identifier_type: IdentifierType::parse(KIND)?,
            token: Token::parse(text)?,
        })
    };
    let tokens = claims.tokens.iter().map(token);
    let tokens: Vec<_> = tokens.collect::<Result<_, Refusal>>()?;
    // No node of ours signs such a thing.
    check_tokens(&tokens).map_err(|_| StampError::Malformed("its tokens are not a subject's"))?;
    Ok(tokens)
}

impl From<StampError> for Failure {
    fn from(error: StampError) -> Self {
        match error {
            StampError::Expired => Input::StampExpired,
            other => Input::StampInvalid(other),
        }
        .into()
    }
}
