//! What the tests propose.

use crate::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use crate::domain::{
    Body, IdentifierType, Namespace, Principal, Proposal, PurposeName, RequestId, ServiceName,
    SetPreference, SubjectToken, Token,
};

pub fn token(subject: u8) -> SubjectToken {
    SubjectToken {
        identifier_type: IdentifierType::parse("email").unwrap(),
        token: Token {
            generation: 1,
            bytes: [subject; 16],
        },
    }
}

pub fn request_id() -> RequestId {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    RequestId::new(SystemClock.now(), random)
}

pub fn proposal(body: Body) -> Proposal {
    Proposal {
        principal: Principal::parse("test").unwrap(),
        body,
    }
}

pub fn opt_out(subject: u8) -> Proposal {
    proposal(Body::SetPreference(SetPreference {
        request_id: request_id(),
        namespace: Namespace::default_namespace(),
        tokens: vec![token(subject)],
        opt_out: vec![PurposeName::parse("analytics").unwrap()],
        opt_in: Vec::new(),
        signal: crate::domain::Signal::User,
        schema_version: 0,
        service: ServiceName::none(),
        min_revision: 0,
        if_last_revision: None,
        evidence: None,
    }))
}
