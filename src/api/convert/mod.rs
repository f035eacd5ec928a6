//! From messages to the domain's types; identifiers become tokens here, before anything else sees them.

pub(super) mod answers;

use std::collections::BTreeSet;

use prost_types::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Api, input::Input, status::Failure};
use crate::{
    authority::Subject,
    domain::{
        EventId, Evidence, IdentifierType, Millis, Namespace, Purpose, PurposeName, Refusal,
        RequestId, SEALING_RANDOM_BYTES, SchemaFloor, SealedEvidence, Signal, SubjectToken, Token,
        check_purposes, check_tokens, normalise, value_sha256,
    },
    limits,
    proto::v1::{self, identifier::Form},
};

/// A namespace; none named means `default`.
pub(super) fn namespace(name: &str) -> Result<Namespace, Refusal> {
    if name.is_empty() {
        Ok(Namespace::default_namespace())
    } else {
        Namespace::parse(name)
    }
}

/// 1 to 64 purposes, no two alike.
pub(super) fn purposes(names: &[String]) -> Result<Vec<PurposeName>, Refusal> {
    if names.len() > limits::PURPOSES_PER_REQUEST {
        return Err(Refusal::TooManyPurposes);
    }
    let purposes: Vec<PurposeName> = names
        .iter()
        .map(|name| PurposeName::parse(name))
        .collect::<Result<_, _>>()?;
    check_purposes(&purposes)?;
    Ok(purposes)
}

/// A purpose as it is to stand. Its floor is set by a call of its own.
pub(super) fn purpose(asked: v1::Purpose) -> Result<Purpose, Failure> {
    if asked.schema_floor != 0 {
        return Err(Input::FloorOfItsOwn.into());
    }
    let default_deny = match asked.default_deny {
        // It has no meaning there.
        None if asked.essential => false,
        said => said.ok_or(Input::DefaultRequired)?,
    };
    Ok(Purpose {
        name: PurposeName::parse(&asked.name)?,
        description: asked.description,
        default_deny,
        essential: asked.essential,
        schema_version: asked.schema_version,
    })
}

/// A schema floor; no purpose named means the whole cluster.
pub(super) fn floor(asked: &v1::SchemaFloor) -> Result<SchemaFloor, Refusal> {
    Ok(SchemaFloor {
        purpose: match &*asked.purpose {
            "" => None,
            name => Some(PurposeName::parse(name)?),
        },
        version: asked.version,
    })
}

/// The id of a proposed change. What is none is one that nobody proposed.
pub(super) fn change_id(text: &str) -> Result<EventId, Refusal> {
    Uuid::try_parse(text)
        .map(EventId)
        .map_err(|_| Refusal::ChangeUnknown)
}

/// A time, to the millisecond.
pub(super) fn time(at: &Timestamp) -> Result<Millis, Input> {
    let seconds = u64::try_from(at.seconds).ok();
    let nanos = u64::try_from(at.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    seconds
        .zip(nanos)
        .and_then(|(seconds, nanos)| {
            let millis = seconds.checked_mul(1_000)?.checked_add(nanos / 1_000_000)?;
            Some(Millis(millis))
        })
        .filter(|millis| *millis <= Millis::MAX)
        .ok_or(Input::TimeInvalid)
}

/// How the wish arrived; not said means the person.
pub(super) fn signal(number: i32) -> Result<Signal, Refusal> {
    match v1::Signal::try_from(number) {
        Ok(v1::Signal::Unspecified | v1::Signal::User) => Ok(Signal::User),
        Ok(v1::Signal::Gpc) => Ok(Signal::Gpc),
        Ok(v1::Signal::ListUnsubscribe) => Ok(Signal::ListUnsubscribe),
        Ok(v1::Signal::Import) => Ok(Signal::Import),
        Ok(v1::Signal::Operator) => Ok(Signal::Operator),
        Ok(v1::Signal::Probe) => Ok(Signal::Probe),
        Err(_) => Err(Refusal::SignalInvalid {
            why: "its number is not known here",
        }),
    }
}

/// The tokens of a filter, each once.
pub(super) fn token_filter(tokens: &[String]) -> Result<Vec<Token>, Failure> {
    let tokens: BTreeSet<&String> = tokens.iter().collect();
    if tokens.len() > limits::WATCH_FILTERS {
        return Err(Input::TooManyFilters.into());
    }
    let parsed = tokens.into_iter().map(|text| given_token(text));
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// A token as a caller gives it. One of a key that never was is nobody's: who asks by it would take silence for an answer.
fn given_token(text: &str) -> Result<Token, Refusal> {
    let token = Token::parse(text)?;
    if token.is_of_known_key() {
        Ok(token)
    } else {
        Err(Refusal::IdentifierInvalid {
            why: "its token is of a key that this cluster never had",
        })
    }
}

/// The namespaces and purposes of a filter, each once.
pub(super) fn filters(
    namespaces: &[String],
    purposes: &[String],
) -> Result<(Vec<Namespace>, Vec<PurposeName>), Failure> {
    if namespaces.len().max(purposes.len()) > limits::WATCH_FILTERS {
        return Err(Input::TooManyFilters.into());
    }
    let namespaces: BTreeSet<Namespace> = namespaces
        .iter()
        .map(|name| Namespace::parse(name))
        .collect::<Result<_, _>>()?;
    let purposes: BTreeSet<PurposeName> = purposes
        .iter()
        .map(|name| PurposeName::parse(name))
        .collect::<Result<_, _>>()?;
    Ok((
        namespaces.into_iter().collect(),
        purposes.into_iter().collect(),
    ))
}

impl Api {
    /// The id of a request; a fresh one where the caller brought none.
    pub(super) fn request_id(&self, text: &str) -> Result<RequestId, Refusal> {
        if text.is_empty() {
            Ok(self.fresh_request_id())
        } else {
            RequestId::parse(text)
        }
    }

    /// A subject in its namespace.
    pub(super) fn subject(
        &self,
        name: &str,
        identifiers: Vec<v1::Identifier>,
    ) -> Result<Subject, Refusal> {
        let namespace = namespace(name)?;
        let tokens = self.tokens(&namespace, identifiers)?;
        Ok(Subject { namespace, tokens })
    }

    /// The tokens of 1 to 16 identifiers, no two alike.
    pub(super) fn tokens(
        &self,
        namespace: &Namespace,
        identifiers: Vec<v1::Identifier>,
    ) -> Result<Vec<SubjectToken>, Refusal> {
        if identifiers.len() > limits::IDENTIFIERS {
            return Err(Refusal::TooManyIdentifiers);
        }
        let tokens: Vec<SubjectToken> = identifiers
            .into_iter()
            .map(|identifier| self.token(namespace, identifier))
            .collect::<Result<_, _>>()?;
        check_tokens(&tokens)?;
        Ok(tokens)
    }

    fn token(
        &self,
        namespace: &Namespace,
        identifier: v1::Identifier,
    ) -> Result<SubjectToken, Refusal> {
        let identifier_type = IdentifierType::parse(&identifier.r#type)?;
        let key = &self.parts().token_key;
        let token = match identifier.form {
            Some(Form::Value(raw)) => {
                let raw = Zeroizing::new(raw);
                let normalised = Zeroizing::new(normalise(&identifier_type, &raw)?);
                key.token(namespace, &identifier_type, &value_sha256(&normalised))
            }
            Some(Form::Sha256(hash)) => {
                let hash: [u8; 32] = hash.try_into().map_err(|_| Refusal::IdentifierInvalid {
                    why: "a SHA-256 has 32 bytes",
                })?;
                key.token(namespace, &identifier_type, &hash)
            }
            Some(Form::Token(text)) => given_token(&text)?,
            None => {
                return Err(Refusal::IdentifierInvalid {
                    why: "it has none of `value`, `sha256` and `token`",
                });
            }
        };
        Ok(SubjectToken {
            identifier_type,
            token,
        })
    }

    /// Seals the evidence of an opt-in. From here on nothing holds it in the clear.
    pub(super) fn seal(&self, evidence: Option<v1::Evidence>) -> Result<SealedEvidence, Refusal> {
        let evidence = evidence.ok_or(Refusal::EvidenceRequired)?;
        let evidence = Evidence {
            statement: evidence.statement,
            ip_address: evidence.ip_address,
            user_agent: evidence.user_agent,
        };
        let mut random = Zeroizing::new([0; SEALING_RANDOM_BYTES]);
        self.parts().entropy.fill(&mut *random);
        let sealer = self.authority().sealer();
        let sealer = sealer.ok_or(Refusal::EvidenceInvalid {
            why: "it could not be sealed",
        })?;
        sealer.seal(&evidence, &random)
    }
}
