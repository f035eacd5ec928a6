//! The question with which a watch begins.

use super::query::{Query, known};
use crate::{
    admission::{Admissible, Need, Needs, Permission, Touches},
    domain::{Millis, Namespace, PurposeName, Refusal, Revision, State},
};

/// Where does a watch begin?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartWatch {
    /// The revision wanted first; 0 for what is new from now.
    pub from_revision: Revision,
    /// Whether the state is wanted as well.
    pub snapshot: bool,
    /// The namespaces that must be known.
    pub namespaces: Vec<Namespace>,
    /// The purposes that must be known.
    pub purposes: Vec<PurposeName>,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
}

/// Where a watch begins.
pub struct Started {
    /// The first revision that follows.
    pub from: Revision,
    /// The state before it, where it was wanted: a clone that shares what does not change.
    pub state: Option<State>,
}

impl Admissible for StartWatch {
    fn needs(&self) -> Needs<'_> {
        let needs = filtered(&self.namespaces).flat_map(|namespace| {
            filtered(&self.purposes).map(move |purpose| Need {
                permission: Permission::Watch,
                namespace,
                purpose,
            })
        });
        Needs::one(Need::anywhere(Permission::Watch)).and(needs)
    }

    fn schema_version(&self) -> u32 {
        self.schema_version
    }
}

impl Query for StartWatch {
    type Answer = Started;

    fn answer(self, state: &State, _at: Millis) -> Result<Started, Refusal> {
        for namespace in &self.namespaces {
            known(state, namespace)?;
        }
        for purpose in &self.purposes {
            if !purpose.is_root() && state.registry().get(purpose).is_none() {
                let purpose = purpose.to_string();
                return Err(Refusal::PurposeUnknown { purpose });
            }
        }
        state.check_schema(self.schema_version, &self.purposes)?;
        let next = state.revision() + 1;
        if self.from_revision > next {
            return Err(Refusal::RevisionAhead {
                asked: self.from_revision,
                reached: state.revision(),
            });
        }
        let from = match self.from_revision {
            0 => next,
            from => from,
        };
        Ok(Started {
            from,
            state: self.snapshot.then(|| state.clone()),
        })
    }
}

/// What a filter lets through: what it names, or all where it names nothing.
fn filtered<T>(names: &[T]) -> impl Iterator<Item = Touches<&T>> {
    let all = names.is_empty().then_some(Touches::All);
    names.iter().map(Touches::One).chain(all)
}
