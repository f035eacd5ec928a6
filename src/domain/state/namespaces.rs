//! Which namespaces there are, and what signals mean in them.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::domain::names::Namespace;
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::limits;

/// The place of a namespace in the order in which namespaces were added, from 0; the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NamespaceId(pub(super) u16);

/// The registered namespaces.
#[derive(Debug, Clone, Default)]
pub(super) struct Namespaces {
    /// In the order in which they were added.
    names: Vec<Namespace>,
    by_name: HashMap<Namespace, NamespaceId>,
    /// What Global Privacy Control opts out of, where it was configured.
    gpc: BTreeMap<NamespaceId, Vec<PurposeId>>,
}

impl Namespaces {
    /// The id of a namespace.
    ///
    /// # Errors
    /// `NAMESPACE_UNKNOWN`.
    pub(super) fn id(&self, name: &Namespace) -> Result<NamespaceId, Refusal> {
        self.by_name
            .get(name)
            .copied()
            .ok_or_else(|| Refusal::NamespaceUnknown {
                namespace: name.to_string(),
            })
    }

    /// Whether it is registered.
    pub(super) fn contains(&self, name: &Namespace) -> bool {
        self.by_name.contains_key(name)
    }

    /// The name of an id.
    pub(super) fn name(&self, id: NamespaceId) -> Option<&Namespace> {
        self.names.get(usize::from(id.0))
    }

    /// By name.
    pub(super) fn sorted(&self) -> impl Iterator<Item = &Namespace> {
        let mut sorted: Vec<&Namespace> = self.names.iter().collect();
        sorted.sort_unstable();
        sorted.into_iter()
    }

    /// The one at a place in the order in which they were added.
    pub(super) fn at(&self, place: usize) -> Option<&Namespace> {
        self.names.get(place)
    }

    /// What Global Privacy Control was configured to opt out of; none where it was not.
    pub(super) fn gpc(&self, id: NamespaceId) -> Option<&[PurposeId]> {
        self.gpc.get(&id).map(Vec::as_slice)
    }

    /// Configures a namespace, and says how it was before.
    pub(super) fn configure(
        &mut self,
        id: NamespaceId,
        gpc: Vec<PurposeId>,
    ) -> Option<Vec<PurposeId>> {
        self.gpc.insert(id, gpc)
    }

    /// Those that were configured, in the order in which they were added.
    pub(super) fn configured(&self) -> impl Iterator<Item = (NamespaceId, &[PurposeId])> {
        self.gpc.iter().map(|(id, gpc)| (*id, gpc.as_slice()))
    }

    /// Adds one.
    ///
    /// # Errors
    /// `REGISTRY_FULL`; `STATE_INCONSISTENT` for one that is there. Then nothing has changed.
    pub(super) fn add(&mut self, name: Namespace) -> Result<NamespaceId, Refusal> {
        if self.contains(&name) {
            return Err(Refusal::StateInconsistent {
                what: "a namespace that is there already",
            });
        }
        let full = Refusal::RegistryFull {
            what: "namespaces",
            limit: limits::NAMESPACES,
        };
        if self.names.len() >= limits::NAMESPACES {
            return Err(full);
        }
        let id = NamespaceId(u16::try_from(self.names.len()).map_err(|_| full)?);
        self.by_name.insert(name.clone(), id);
        self.names.push(name);
        Ok(id)
    }
}
