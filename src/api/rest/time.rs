//! Times as JSON has them: RFC 3339.

use std::{borrow::Cow, fmt};

use prost_types::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, SchemaFormat,
        schema::{Schema, Type},
    },
};

use crate::clock::moment;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rfc3339;

        impl de::Visitor<'_> for Rfc3339 {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z")
            }

            fn visit_str<E: de::Error>(self, given: &str) -> Result<Time, E> {
                moment(given)
                    .map(Time)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Other("text"), &self))
            }
        }

        deserializer.deserialize_str(Rfc3339)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let time = Time(Timestamp {
            seconds: 1_700_000_000,
            nanos: 123_000_000,
        });
        let text = serde_json::to_string(&time).expect("text");
        assert_eq!(text, r#""2023-11-14T22:13:20.123Z""#);
        assert_eq!(serde_json::from_str::<Time>(&text).expect("time"), time);
        let elsewhere = moment("2023-11-15T00:13:20.123+02:00");
        assert_eq!(elsewhere.map(Time), Some(time));
    }

    #[test]
    fn what_leaves_something_open_is_refused() {
        for bad in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20Z",
            "2023-11-14T25:13:20Z",
            "2023-11-14T22:13:20+2",
            "22:13:20Z",
            "soon",
            "2023-11-1\u{e9}T22:13:20Z",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
