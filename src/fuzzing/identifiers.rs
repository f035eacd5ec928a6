//! What people and programs write down: identifiers, tokens, names, ids, times.

use std::fmt::Display;

use super::input::choice;
use crate::{
    api::decision_id::{DecisionKey, Question},
    clock,
    domain::{
        IdentifierType, Namespace, Principal, PurposeName, Refusal, RequestId, ServiceName, Token,
        normalise,
    },
};

/// What is taken is taken again as it is shown, and an identifier is normalised once and for all.
pub fn identifiers(data: &[u8]) {
    let Some((kind, bytes)) = choice(data) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match kind {
        0..=2 => {
            let name = ["email", "phone", "account"][kind];
            let identifier_type = IdentifierType::parse(name).expect("a type");
            if let Ok(once) = normalise(&identifier_type, text) {
                let twice = normalise(&identifier_type, &once);
                assert_eq!(twice.as_ref(), Ok(&once), "normalised another time");
            }
        }
        3 => shown_again(text, Token::parse),
        4 => shown_again(text, PurposeName::parse),
        5 => shown_again(text, Namespace::parse),
        6 => shown_again(text, IdentifierType::parse),
        7 => shown_again(text, Principal::parse),
        8 => shown_again(text, ServiceName::parse),
        9 => shown_again(text, RequestId::parse),
        10 => drop(clock::moment(text)),
        _ => {
            let question = Question {
                namespace: &Namespace::default_namespace(),
                tokens: &[],
                purpose: &PurposeName::parse("marketing").expect("a purpose"),
                service: "",
            };
            // A MAC of 128 bits is not guessed.
            let answer = DecisionKey::derive(&[7; 32]).verify(text, &question);
            assert_eq!(answer, None, "an id that nobody gave");
        }
    }
}

fn shown_again<T: Display>(text: &str, parse: impl Fn(&str) -> Result<T, Refusal>) {
    if let Ok(parsed) = parse(text) {
        let shown = parsed.to_string();
        let again = parse(&shown).map(|it| it.to_string());
        assert_eq!(again, Ok(shown), "taken otherwise as it is shown");
    }
}
