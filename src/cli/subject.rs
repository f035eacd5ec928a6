//! The flags by which a command names a person.

use clap::Args;
use refrain::{client::identifier, proto::v1::Identifier};

use super::{failure::Failure, import::table::parse_sha256};

/// Whom a command is about: any number of identifiers of one person.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Whom it is about")]
pub struct SubjectArgs {
    /// An e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,

    /// A telephone number in E.164, such as +493012345678
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    phone: Vec<String>,

    /// An identifier of any type, such as account:4711 or device:ab-12
    #[arg(long, value_name = "TYPE:VALUE")]
    id: Vec<String>,

    /// The SHA-256 of a normalised identifier; keeps the raw one out of the list of processes
    #[arg(long, value_name = "TYPE:HEX")]
    sha256: Vec<String>,

    /// A token that Refrain returned before
    #[arg(long, value_name = "TYPE:TOKEN")]
    token: Vec<String>,
}

impl SubjectArgs {
    /// The identifiers, as the calls take them; at least one.
    pub fn identifiers(&self) -> Result<Vec<Identifier>, Failure> {
        let all = self.given()?;
        if all.is_empty() {
            return Err(Failure::usage(
                "nobody is named: give at least one of --email, --phone, --id, --sha256 and --token",
            ));
        }
        Ok(all)
    }

    /// The one identifier, or none.
    pub fn at_most_one(&self) -> Result<Option<Identifier>, Failure> {
        let mut all = self.given()?;
        if all.len() > 1 {
            return Err(Failure::usage("more than one identifier is given"));
        }
        Ok(all.pop())
    }

    /// The identifiers, of which there may be none.
    pub fn given(&self) -> Result<Vec<Identifier>, Failure> {
        let mut all: Vec<Identifier> = Vec::new();
        all.extend(self.email.iter().map(identifier::email));
        all.extend(self.phone.iter().map(identifier::phone));
        for text in &self.id {
            let (kind, value) = split("--id", "TYPE:VALUE, such as account:4711", text)?;
            all.push(identifier::value(kind, value));
        }
        for text in &self.sha256 {
            let wanted = "TYPE:HEX with 64 hex digits, such as email:9f86d0...";
            let (kind, digits) = split("--sha256", wanted, text)?;
            let hash = parse_sha256(digits)
                .ok_or_else(|| Failure::usage(format!("--sha256 wants {wanted}")))?;
            all.push(identifier::sha256(kind, hash));
        }
        for text in &self.token {
            let wanted = "TYPE:TOKEN, such as email:1:0123456789abcdef0123456789abcdef";
            let (kind, token) = split("--token", wanted, text)?;
            all.push(identifier::token(kind, token));
        }
        Ok(all)
    }
}

/// Splits at the first colon.
pub fn split<'a>(flag: &str, wanted: &str, text: &'a str) -> Result<(&'a str, &'a str), Failure> {
    match text.split_once(':') {
        Some((kind, value)) if !kind.is_empty() && !value.is_empty() => Ok((kind, value)),
        // What was typed is not repeated: it may be somebody's identifier.
        _ => Err(Failure::usage(format!("{flag} wants {wanted}"))),
    }
}

#[cfg(test)]
mod tests {
    use refrain::proto::v1::identifier::Form;

    use super::*;

    #[test]
    fn every_form_is_taken() {
        let digits = "ab".repeat(32);
        let args = SubjectArgs {
            email: vec!["ada@example.com".to_owned()],
            phone: vec!["+49 30 1".to_owned()],
            id: vec!["account:a:b".to_owned()],
            sha256: vec![format!("email:{digits}")],
            token: vec!["email:1:00".to_owned()],
        };
        let all = args.identifiers().unwrap();
        let kinds: Vec<&str> = all.iter().map(|it| it.r#type.as_str()).collect();
        assert_eq!(kinds, ["email", "phone", "account", "email", "email"]);
        assert_eq!(all[2].form, Some(Form::Value("a:b".to_owned())));
        assert_eq!(all[3].form, Some(Form::Sha256(vec![0xab; 32])));
        assert_eq!(all[4].form, Some(Form::Token("1:00".to_owned())));
        assert!(args.at_most_one().is_err());
    }

    #[test]
    fn what_was_typed_is_not_repeated_in_a_complaint() {
        for (id, sha256) in [
            ("secret", "email:ab"),
            ("account:", "email:"),
            (":secret", "secret"),
        ] {
            let only_id = SubjectArgs {
                id: vec![id.to_owned()],
                ..Default::default()
            };
            let only_hash = SubjectArgs {
                sha256: vec![sha256.to_owned()],
                ..Default::default()
            };
            for args in [only_id, only_hash] {
                let failure = args.identifiers().unwrap_err();
                assert_eq!(failure.status, 64);
                assert!(!failure.text().contains("secret"));
            }
        }
        assert!(SubjectArgs::default().identifiers().is_err());
        assert_eq!(SubjectArgs::default().at_most_one().unwrap(), None);
    }
}
