//! What a follower wants to see.

use crate::domain::{Event, Namespace, PurposeName, Standing, Token};

/// Which events pass: those of these namespaces that touch these purposes. An empty list lets all pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these namespaces. What concerns the whole cluster concerns each of them, and passes.
    pub namespaces: Vec<Namespace>,
    /// Only what touches one of these, what lies under one, or what lies above one.
    pub purposes: Vec<PurposeName>,
    /// Only these tokens. What concerns no subject passes.
    pub tokens: Vec<Token>,
}

impl Filter {
    /// Whether an event passes.
    pub fn passes(&self, event: &Event) -> bool {
        let mut subjects = event.subjects().map(|subject| subject.token).peekable();
        self.namespace(event.namespace.as_ref())
            && self.purpose(event.touched())
            && (subjects.peek().is_none() || self.token(subjects))
    }

    /// Whether a standing preference passes.
    pub fn passes_standing(&self, standing: &Standing) -> bool {
        self.namespace(Some(&standing.namespace))
            && self.purpose(std::iter::once(&standing.purpose))
            && self.token(std::iter::once(standing.token))
    }

    fn token(&self, mut concerned: impl Iterator<Item = Token>) -> bool {
        self.tokens.is_empty() || concerned.any(|token| self.tokens.contains(&token))
    }

    fn namespace(&self, namespace: Option<&Namespace>) -> bool {
        self.namespaces.is_empty() || namespace.is_none_or(|it| self.namespaces.contains(it))
    }

    fn purpose<'a>(&self, mut touched: impl Iterator<Item = &'a PurposeName>) -> bool {
        self.purposes.is_empty()
            || touched.any(|touched| {
                self.purposes
                    .iter()
                    .any(|wanted| touched.is_within(wanted) || wanted.is_within(touched))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purposes(names: &[&str]) -> Vec<PurposeName> {
        names
            .iter()
            .map(|name| PurposeName::parse(name).expect("name"))
            .collect()
    }

    #[test]
    fn purposes_pass_up_and_down_the_tree() {
        let filter = Filter {
            namespaces: Vec::new(),
            purposes: purposes(&["marketing.email"]),
            tokens: Vec::new(),
        };
        for (touched, passes) in [
            (&["marketing.email"][..], true),
            (&["marketing.email.weekly"], true),
            (&["marketing"], true),
            (&["*"], true),
            (&["marketing.sms"], false),
            (&["market"], false),
            (&["sale", "marketing"], true),
            (&[], false),
        ] {
            let names = purposes(touched);
            assert_eq!(filter.purpose(names.iter()), passes, "{touched:?}");
        }
        assert!(Filter::default().purpose([].iter()));
    }

    #[test]
    fn what_concerns_all_passes_every_namespace() {
        let ours = Namespace::parse("ours").expect("name");
        let filter = Filter {
            namespaces: vec![ours.clone()],
            ..Filter::default()
        };
        assert!(filter.namespace(Some(&ours)) && filter.namespace(None));
        assert!(!filter.namespace(Some(&Namespace::default_namespace())));
    }
}
