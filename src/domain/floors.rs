//! Schema floors: which version of the registry a caller must be built for, in the whole cluster and by purpose.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use super::registry::{PurposeId, Registry};

/// The floors. The cluster's own stands at `*`, which is above every purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Floors(BTreeMap<PurposeId, u32>);

impl Floors {
    /// The floor that stands at a purpose itself; 0 for none.
    pub(crate) fn at(&self, id: PurposeId) -> u32 {
        self.0.get(&id).copied().unwrap_or(0)
    }

    /// The version that a caller needs for a purpose: the highest floor on its path.
    pub(crate) fn needed(&self, registry: &Registry, id: PurposeId) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        registry
            .path(id)
            .map(|step| self.at(step))
            .max()
            .unwrap_or(0)
    }

    /// Refuses a caller that was built for too old a registry.
    ///
    /// # Errors
    /// `SCHEMA_TOO_OLD`.
    pub(crate) fn check(
        &self,
        registry: &Registry,
        id: PurposeId,
        asked: u32,
    ) -> Result<(), Refusal> {
        let needed = self.needed(registry, id);
        if asked >= needed {
            Ok(())
        } else {
            Err(Refusal::SchemaTooOld { asked, needed })
        }
    }

    /// Refuses a caller that was built for too old a registry to speak of a purpose and of all that lies beneath it.
    ///
    /// # Errors
    /// `SCHEMA_TOO_OLD`.
    pub(crate) fn check_all(
        &self,
        registry: &Registry,
        id: PurposeId,
        asked: u32,
    ) -> Result<(), Refusal> {
        let beneath = self.iter().filter(|(at, _)| registry.is_below(*at, id));
        let beneath = beneath.map(|(_, version)| version).max().unwrap_or(0);
        let needed = self.needed(registry, id).max(beneath);
        if asked >= needed {
            Ok(())
        } else {
            Err(Refusal::SchemaTooOld { asked, needed })
        }
    }

    /// Sets a floor, and says which stood there before.
    pub(crate) fn set(&mut self, id: PurposeId, version: u32) -> u32 {
        let before = match version {
            0 => self.0.remove(&id),
            version => self.0.insert(id, version),
        };
        before.unwrap_or(0)
    }

    /// All that are not 0, the cluster's first, then in the order of the purposes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PurposeId, u32)> + '_ {
        self.0.iter().map(|(id, version)| (*id, *version))
    }
}
