//! What a link can opt its subject out of.

use super::query::{Query, known};
use crate::{
    admission::{Admissible, Needs, Permission},
    domain::{Millis, Namespace, Purpose, PurposeName, Refusal, State},
};

/// Which of these purposes can be opted out of?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The tenant.
    pub namespace: Namespace,
    /// The purposes; `*` too.
    pub purposes: Vec<PurposeName>,
}

/// What can be opted out of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Those of the purposes that are not essential, in the order asked, each with what it means; `*` means nothing more.
    pub purposes: Vec<(PurposeName, String)>,
    /// Those that are essential.
    pub essential: Vec<PurposeName>,
    /// The registry's schema version.
    pub schema_version: u32,
}

impl Admissible for Offer {
    fn needs(&self) -> Needs<'_> {
        Needs::for_each(Permission::OptOut, &self.namespace, &self.purposes)
    }
}

impl Query for Offer {
    type Answer = Offered;

    fn answer(self, state: &State, _: Millis) -> Result<Offered, Refusal> {
        known(state, &self.namespace)?;
        let registry = state.registry();
        let mut offered = Offered {
            purposes: Vec::new(),
            essential: Vec::new(),
            schema_version: registry.schema_version(),
        };
        for name in self.purposes {
            match registry.get(&name) {
                Some(Purpose {
                    essential: true, ..
                }) => offered.essential.push(name),
                Some(purpose) => offered.purposes.push((name, purpose.description.clone())),
                None if name.is_root() => offered.purposes.push((name, String::new())),
                None => {
                    let purpose = name.to_string();
                    return Err(Refusal::PurposeUnknown { purpose });
                }
            }
        }
        Ok(offered)
    }
}
