//! Brings an identifier into the one form that is hashed, so that two spellings of one address are one subject.

use std::{cmp::Ordering, sync::LazyLock};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};
use unicode_normalization::UnicodeNormalization as _;

use super::names::IdentifierType;
use super::refusal::Refusal;
use crate::limits;

/// The normalised form of a raw identifier: `email` is trimmed, NFC and lower-cased; `phone` is E.164; any other type
/// is trimmed and NFC. Normalising twice changes nothing.
///
/// # Errors
/// `IDENTIFIER_INVALID`, without the identifier.
pub fn normalise(identifier_type: &IdentifierType, raw: &str) -> Result<String, Refusal> {
    if raw.len() > limits::IDENTIFIER_BYTES {
        return invalid("it is longer than 512 bytes");
    }
    let trimmed = raw.trim();
    if trimmed.is_empty() {
        return invalid("it is empty");
    }
    if trimmed.chars().any(char::is_control) {
        return invalid("it holds control characters");
    }
    if trimmed.chars().any(is_invisible) {
        return invalid(
            "it holds an invisible character, such as a zero-width space: leave that out",
        );
    }
    let normalised = match identifier_type.as_str() {
        "email" => email(trimmed)?,
        "phone" => phone(trimmed)?,
        _ => trimmed.nfc().collect(),
    };
    // NFC takes some letters apart for good. What is taken must also be taken as it is normalised.
    if normalised.len() > limits::IDENTIFIER_BYTES {
        return invalid("normalised, it is longer than 512 bytes");
    }
    Ok(normalised)
}

/// Unicode's format characters, and those that nothing is shown of by default. They come along when text is copied, and
/// would make another subject of the same address.
static INVISIBLE: LazyLock<ClassUnicode> = LazyLock::new(|| {
    let parsed = regex_syntax::parse(r"[\p{Cf}\p{Default_Ignorable_Code_Point}]");
    match parsed.map(Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        // Not with the tables that this is built with, as a test holds; without them nothing may pass.
        _ => ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)]),
    }
});

fn is_invisible(c: char) -> bool {
    let at = INVISIBLE.ranges().binary_search_by(|range| {
        if range.end() < c {
            Ordering::Less
        } else if range.start() > c {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    });
    at.is_ok()
}

fn email(trimmed: &str) -> Result<String, Refusal> {
    // Lower-casing can take a composed letter apart, so that NFC has the last word.
    let folded: String = trimmed
        .nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect();
    if folded.starts_with("mailto:") {
        return invalid("it begins with `mailto:`: give the address alone");
    }
    if folded.contains([',', ';', '<', '>']) {
        return invalid("it holds `,`, `;`, `<` or `>`: give one address, without a name");
    }
    if folded.contains(['\u{ff0e}', '\u{3002}', '\u{ff61}']) {
        return invalid("it holds a full-width or ideographic dot: write `.`");
    }
    if folded.matches('@').count() > 1 {
        return invalid("it has more than one `@`: give one address");
    }
    if folded.ends_with('.') {
        return invalid("it ends with a dot: leave that out");
    }
    let whole = folded
        .rsplit_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if whole && !folded.chars().any(char::is_whitespace) {
        Ok(folded)
    } else {
        invalid("an e-mail address is `user@host`, without white space")
    }
}

fn phone(trimmed: &str) -> Result<String, Refusal> {
    let kept: String = trimmed
        .chars()
        .filter(|c| {
            !c.is_whitespace() && !matches!(c, '.' | '-' | '(' | ')' | '\u{2010}'..='\u{2015}')
        })
        .collect();
    let digits = kept.strip_prefix('+').unwrap_or_default();
    let fits = (1..=limits::PHONE_DIGITS).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    if fits {
        Ok(kept)
    } else {
        invalid("a phone number is E.164: `+`, the country code, at most 15 digits in all")
    }
}

fn invalid(why: &'static str) -> Result<String, Refusal> {
    Err(Refusal::IdentifierInvalid { why })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn of(kind: &str, raw: &str) -> Option<String> {
        normalise(&IdentifierType::parse(kind).unwrap(), raw).ok()
    }

    #[test]
    fn what_grows_past_the_limit_is_refused() {
        // NFC takes this letter apart, and makes 6 bytes of 3.
        let many = |count| "\u{958}".repeat(count);
        assert_eq!(of("account", &many(85)).map(|it| it.len()), Some(510));
        assert_eq!(of("account", &many(86)), None);
        assert_eq!(of("email", &format!("{}@x.org", many(86))), None);
    }

    #[test]
    fn what_does_not_show_is_refused() {
        for invisible in [
            '\u{200b}', '\u{feff}', '\u{ad}', '\u{200d}', '\u{2060}', '\u{fe0f}',
        ] {
            for kind in ["email", "account"] {
                let kind = IdentifierType::parse(kind).unwrap();
                let raw = format!("ada{invisible}@example.com");
                let refusal = normalise(&kind, &raw).unwrap_err();
                assert_eq!(
                    refusal.reason(),
                    "IDENTIFIER_INVALID",
                    "{:x}",
                    u32::from(invisible)
                );
                assert!(!refusal.to_string().contains("ada"));
            }
        }
    }

    #[test]
    fn all_format_characters_are_refused_and_whatever_was_refused_before() {
        // What the table held that this was once read from, by hand.
        let before = [
            0xad..=0xad,
            0x34f..=0x34f,
            0x600..=0x605,
            0x61c..=0x61c,
            0x6dd..=0x6dd,
            0x70f..=0x70f,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x206f,
            0x3164..=0x3164,
            0xfe00..=0xfe0f,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xfff0..=0xfffb,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0000..=0xe0fff,
        ];
        // What it lacked: Arabic, Kaithi and Egyptian format characters.
        let lacked = [
            0x890..=0x891,
            0x8e2..=0x8e2,
            0x110bd..=0x110bd,
            0x110cd..=0x110cd,
            0x13430..=0x1343f,
        ];
        let refused: BTreeSet<u32> = ('\0'..=char::MAX)
            .filter(|c| is_invisible(*c))
            .map(u32::from)
            .collect();
        let listed: BTreeSet<u32> = before.into_iter().chain(lacked).flatten().collect();
        let passed: Vec<_> = listed.difference(&refused).collect();
        assert!(passed.is_empty(), "{passed:x?}");
        // And nothing else, so that whoever updates the tables sees what is refused from then on.
        let new: Vec<_> = refused.difference(&listed).collect();
        assert!(new.is_empty(), "{new:x?}");
        assert_eq!(of("account", "a\u{110bd}da"), None);
    }

    #[test]
    fn emails() {
        let ada = Some("ada@example.com".to_owned());
        assert_eq!(of("email", "  Ada@Example.COM\t"), ada);
        // A combining acute after `e`, and the composed letter.
        assert_eq!(of("email", "E\u{301}@x.y"), of("email", "\u{e9}@x.y"));
        for bad in [
            "",
            "  ",
            "ada",
            "@x",
            "ada@",
            "a b@x.y",
            "a\u{0}@x.y",
            "a@x.y\nb@x.y",
        ] {
            assert_eq!(of("email", bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_more_than_one_plain_address_is_refused_by_what_is_wrong() {
        for (bad, what) in [
            ("a@b.c,x@y.z", "`,`"),
            ("a@b.c;x@y.z", "`;`"),
            ("Ada <ada@b.c>", "`<`"),
            ("MailTo:ada@b.c", "mailto"),
            ("ada@b.c.", "dot"),
            ("ada@home@b.c", "more than one"),
            ("ada@b\u{ff0e}c", "full-width"),
            ("ada@b\u{3002}c", "full-width"),
            ("ada@b\u{ff61}c", "full-width"),
        ] {
            let email = IdentifierType::parse("email").unwrap();
            let said = normalise(&email, bad).unwrap_err().to_string();
            assert!(said.contains(what), "{bad}: {said}");
            assert!(!said.contains("ada"), "{said}");
        }
        assert_eq!(of("email", "a.b+c@d.e"), Some("a.b+c@d.e".to_owned()));
    }

    #[test]
    fn phones() {
        let number = Some("+4930123456".to_owned());
        assert_eq!(of("phone", " +49 (30) 123-456 "), number);
        assert_eq!(of("phone", "+49.30.12\u{2011}34\u{a0}56"), number);
        for bad in [
            "4930123456",
            "+",
            "+0301",
            "+1234567890123456",
            "+49x",
            "++49",
            "+\u{664}9",
        ] {
            assert_eq!(of("phone", bad), None, "{bad:?}");
        }
    }

    #[test]
    fn others_keep_their_case() {
        assert_eq!(of("device", " AbC "), Some("AbC".to_owned()));
        assert_eq!(of("device", &"x".repeat(512)).map(|s| s.len()), Some(512));
        assert_eq!(of("device", &"x".repeat(513)), None);
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "\\PC{0,24}", host in "\\PC{1,12}") {
            for (kind, raw) in [
                ("device", raw.clone()),
                ("email", format!("{raw}@{host}")),
                ("phone", format!("+{raw}")),
            ] {
                if let Some(once) = of(kind, &raw) && once.len() <= limits::IDENTIFIER_BYTES {
                    prop_assert_eq!(of(kind, &once), Some(once));
                }
            }
        }
    }
}
