//! Enumerations of the contract as JSON has them: their own names, short and in lower case, so that they cannot drift.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, Type},
    },
};

use crate::proto::v1;

/// An enumeration of the contract.
pub(super) trait Worded: Copy + Default + TryFrom<i32> + Into<i32> {
    /// Its name.
    const NAME: &'static str;
    /// What its values begin with in the contract, where they share one space of names.
    const PREFIX: &'static str;

    /// The value's name in the contract.
    fn name(self) -> &'static str;
}

macro_rules! worded {
    ($($kind:ident: $prefix:literal),+ $(,)?) => {
        $(
        /// As a word.
        pub(super) type $kind = Word<v1::$kind>;

        impl Worded for v1::$kind {
            const NAME: &'static str = stringify!($kind);
            const PREFIX: &'static str = $prefix;

            fn name(self) -> &'static str {
                self.as_str_name()
            }
        })+
    };
}

worded! {
    AnomalyKind: "ANOMALY_KIND_",
    Change: "CHANGE_",
    Decision: "DECISION_",
    EventKind: "EVENT_KIND_",
    MembershipAct: "MEMBERSHIP_ACT_",
    OverrideState: "OVERRIDE_STATE_",
    Reason: "REASON_",
    Signal: "SIGNAL_",
    ViolationKind: "VIOLATION_KIND_",
}

/// A value of an enumeration, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Word<E>(E);

impl<E: Worded> Word<E> {
    /// The value with this number; one that is not known says `unspecified`, which nobody takes for an ALLOW.
    pub(super) fn of(number: i32) -> Self {
        Self(E::try_from(number).unwrap_or_default())
    }

    /// Its number in the contract.
    pub(super) fn number(self) -> i32 {
        self.0.into()
    }

    fn word(self) -> String {
        let name = self.0.name();
        name.strip_prefix(E::PREFIX).unwrap_or(name).to_lowercase()
    }

    /// Every value but the one that is not set.
    fn all() -> impl Iterator<Item = Self> {
        // Their numbers may have gaps.
        (1..=64).filter_map(|number| E::try_from(number).ok().map(Self))
    }
}

impl<E: Worded> Serialize for Word<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.word())
    }
}

impl<'de, E: Worded> Deserialize<'de> for Word<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOf<E>(PhantomData<E>);

        impl<E: Worded> de::Visitor<'_> for OneOf<E> {
            type Value = Word<E>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let words: Vec<String> = Word::<E>::all().map(Word::word).collect();
                write!(f, "one of {}", words.join(", "))
            }

            fn visit_str<F: de::Error>(self, given: &str) -> Result<Word<E>, F> {
                Word::all()
                    .find(|one| one.word() == given)
                    .ok_or_else(|| F::invalid_value(de::Unexpected::Other("a word"), &self))
            }
        }

        deserializer.deserialize_str(OneOf(PhantomData))
    }
}

impl<E: Worded> PartialSchema for Word<E> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::all().map(Self::word)))
            .into()
    }
}

impl<E: Worded> ToSchema for Word<E> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(E::NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_contracts_and_come_back() {
        let allow = Word::<v1::Decision>::of(v1::Decision::Allow.into());
        assert_eq!(serde_json::to_string(&allow).expect("text"), r#""allow""#);
        let opted_out = Word::<v1::Reason>::of(1);
        assert_eq!(
            serde_json::to_string(&opted_out).expect("text"),
            r#""opted_out""#
        );
        for one in Word::<v1::Signal>::all() {
            let text = serde_json::to_string(&one).expect("text");
            assert_eq!(
                serde_json::from_str::<Word<v1::Signal>>(&text).expect("word"),
                one
            );
        }
        assert_eq!(Word::<v1::Signal>::all().count(), 6);
    }

    #[test]
    fn what_is_not_known_is_no_allow() {
        let unknown = Word::<v1::Decision>::of(99);
        assert_eq!(
            serde_json::to_string(&unknown).expect("text"),
            r#""unspecified""#
        );
        for given in [r#""unspecified""#, r#""ALLOW""#, "2", "null"] {
            assert!(
                serde_json::from_str::<Word<v1::Decision>>(given).is_err(),
                "{given}"
            );
        }
    }
}
