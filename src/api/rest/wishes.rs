//! What a person wants, as a map from purposes to `out` and `in`: a purpose that stands twice is not lost.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, ObjectBuilder, RefOr,
        schema::{Schema, Type},
    },
};

/// Out or in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wish {
    Out,
    In,
}

/// The wishes, in the order of the text. A map would keep the last of two that contradict each other; the rules refuse them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wishes(Vec<(String, Wish)>);

impl Wishes {
    /// The purposes to opt out of, and those to opt in to.
    pub(super) fn parted(self) -> (Vec<String>, Vec<String>) {
        let (out, r#in): (Vec<_>, Vec<_>) =
            self.0.into_iter().partition(|(_, wish)| *wish == Wish::Out);
        let names =
            |wishes: Vec<(String, Wish)>| wishes.into_iter().map(|(name, _)| name).collect();
        (names(out), names(r#in))
    }
}

impl<'de> Deserialize<'de> for Wishes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> de::Visitor<'de> for Map {
            type Value = Wishes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from purposes to `out` or `in`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Wishes, A::Error> {
                let mut wishes = Vec::new();
                while let Some(wish) = map.next_entry()? {
                    wishes.push(wish);
                }
                Ok(Wishes(wishes))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

impl PartialSchema for Wishes {
    fn schema() -> RefOr<Schema> {
        let wish: Object = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["out", "in"]))
            .build();
        ObjectBuilder::new()
            .additional_properties(Some(Schema::from(wish)))
            .min_properties(Some(1))
            .max_properties(Some(crate::limits::PURPOSES_PER_REQUEST))
            .examples([serde_json::json!({ "marketing": "out" })])
            .into()
    }
}

impl ToSchema for Wishes {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Wishes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_stays_twice() {
        let text = r#"{"sale":"in","marketing":"out","sale":"out"}"#;
        let wishes: Wishes = serde_json::from_str(text).expect("wishes");
        let (out, r#in) = wishes.parted();
        assert_eq!(out, ["marketing", "sale"]);
        assert_eq!(r#in, ["sale"]);
        for bad in [r#"{"sale":"IN"}"#, r#"{"sale":null}"#, r#"["sale"]"#] {
            assert!(serde_json::from_str::<Wishes>(bad).is_err(), "{bad}");
        }
    }
}
