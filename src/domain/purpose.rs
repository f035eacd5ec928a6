//! One purpose, and the tree of purposes that ships.

use super::names::PurposeName;
use super::refusal::Refusal;
use crate::limits;

/// What data may be used for, as the registry knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// The dotted name; never `*`.
    pub name: PurposeName,
    /// What it means, for people; at most 1,024 bytes.
    pub description: String,
    /// Whether a subject without a record is denied. Has no meaning for an essential purpose.
    pub default_deny: bool,
    /// Whether it cannot be opted out of.
    pub essential: bool,
    /// The registry's schema version at which it last changed its meaning; 0 until the registry has it.
    pub schema_version: u32,
}

impl Purpose {
    /// Checks what can be checked without the registry.
    ///
    /// # Errors
    /// `PURPOSE_INVALID`.
    pub fn validate(&self) -> Result<(), Refusal> {
        let why = if self.name.is_root() {
            "`*` is the root of all that are not essential and cannot be registered"
        } else if self.description.len() > limits::DESCRIPTION_BYTES {
            "its description is longer than 1,024 bytes"
        } else if self.schema_version != 0 {
            "its schema version is the server's to set: leave it 0"
        } else {
            return Ok(());
        };
        Err(Refusal::PurposeInvalid { why })
    }
}

/// What the default of a purpose that ships is.
#[derive(Clone, Copy)]
enum Ships {
    Allow,
    Deny,
    Essential,
}

/// The tree that ships: parents first.
const TREE: [(&str, Ships, &str); 17] = [
    (
        "analytics",
        Ships::Allow,
        "Measuring how a product is used.",
    ),
    (
        "personalization",
        Ships::Allow,
        "Fitting content and offers to the person.",
    ),
    ("advertising", Ships::Allow, "Advertising of any kind."),
    (
        "advertising.targeted",
        Ships::Allow,
        "Advertising chosen by what is known about the person.",
    ),
    (
        "sale",
        Ships::Allow,
        "Giving personal data to others for money or other value.",
    ),
    (
        "sharing",
        Ships::Allow,
        "Giving personal data to others for advertising across contexts.",
    ),
    ("marketing", Ships::Allow, "Marketing messages of any kind."),
    ("marketing.email", Ships::Allow, "Marketing by e-mail."),
    ("marketing.sms", Ships::Allow, "Marketing by text message."),
    ("marketing.phone", Ships::Allow, "Marketing by telephone."),
    (
        "profiling",
        Ships::Deny,
        "Automated decisions about the person with legal or similar effects.",
    ),
    (
        "ai_training",
        Ships::Deny,
        "Training models on the person's data.",
    ),
    (
        "service",
        Ships::Essential,
        "What the service cannot be provided without.",
    ),
    (
        "service.account",
        Ships::Essential,
        "Running the account: sign-up, password resets, changes.",
    ),
    (
        "service.security",
        Ships::Essential,
        "Security: alerts, fraud prevention, verification codes.",
    ),
    (
        "service.transaction",
        Ships::Essential,
        "Orders, invoices, deliveries, payments.",
    ),
    (
        "service.legal",
        Ships::Essential,
        "Legal notices and duties.",
    ),
];

/// The purposes that a cluster begins with.
pub fn default_purposes() -> Vec<Purpose> {
    TREE.into_iter()
        .filter_map(|(name, ships, description)| {
            // A test holds that every name of the tree parses.
            Some(Purpose {
                name: PurposeName::parse(name).ok()?,
                description: description.to_owned(),
                default_deny: matches!(ships, Ships::Deny),
                essential: matches!(ships, Ships::Essential),
                schema_version: 0,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_tree_ships() {
        let purposes = default_purposes();
        assert_eq!(purposes.len(), TREE.len());
        for purpose in &purposes {
            assert_eq!(purpose.validate(), Ok(()));
        }
    }

    #[test]
    fn checks() {
        let mut purpose = default_purposes().remove(0);
        purpose.schema_version = 1;
        assert_eq!(purpose.validate().unwrap_err().reason(), "PURPOSE_INVALID");
        purpose.schema_version = 0;
        purpose.description = "d".repeat(limits::DESCRIPTION_BYTES + 1);
        assert_eq!(purpose.validate().unwrap_err().reason(), "PURPOSE_INVALID");
        purpose.description.pop();
        assert_eq!(purpose.validate(), Ok(()));
        purpose.name = PurposeName::root();
        assert_eq!(purpose.validate().unwrap_err().reason(), "PURPOSE_INVALID");
    }
}
