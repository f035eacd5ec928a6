//! The schema floors, so that a program that is too old for a purpose is refused by a stamp as it is by a check.

use std::collections::HashMap;

use super::denied::NoGoAhead;
use crate::{proto::v1::ListPurposesResponse, purpose_tree};

/// The floors as of a revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Floors {
    revision: u64,
    registry: u32,
    of_all: u32,
    of_purposes: HashMap<String, u32>,
}

impl Floors {
    /// What the registry says.
    pub(super) fn of(registry: ListPurposesResponse) -> Self {
        let purposes = registry.purposes.into_iter();
        Self {
            revision: registry.revision,
            registry: registry.schema_version,
            of_all: registry.schema_floor,
            of_purposes: purposes.map(|it| (it.name, it.schema_floor)).collect(),
        }
    }

    /// The revision at which they hold.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether a program built for this version may go on for a purpose.
    pub(super) fn admit(&self, purpose: &str, built: u32) -> Result<(), NoGoAhead> {
        if built > self.registry {
            let registry = self.registry;
            return Err(NoGoAhead::SchemaUnknown { built, registry });
        }
        if !self.of_purposes.contains_key(purpose) {
            return Err(NoGoAhead::PurposeUnknown);
        }
        let path = purpose_tree::path(purpose);
        let floors = path.filter_map(|name| self.of_purposes.get(name).copied());
        let needed = floors.fold(self.of_all, u32::max);
        if built < needed {
            return Err(NoGoAhead::SchemaTooOld { built, needed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Purpose;

    fn floors(of_all: u32, purposes: &[(&str, u32)]) -> Floors {
        let purpose = |&(name, schema_floor): &(&str, u32)| Purpose {
            name: name.to_owned(),
            schema_floor,
            ..Purpose::default()
        };
        Floors::of(ListPurposesResponse {
            purposes: purposes.iter().map(purpose).collect(),
            schema_version: 9,
            revision: 1,
            schema_floor: of_all,
        })
    }

    #[test]
    fn the_highest_floor_above_a_purpose_counts() {
        let floors = floors(
            2,
            &[("a", 5), ("a.b", 3), ("a.b.c", 0), ("ab", 0), ("z", 8)],
        );
        for (purpose, needed) in [("a", 5), ("a.b", 5), ("a.b.c", 5), ("ab", 2), ("z", 8)] {
            let built = needed - 1;
            let refused = NoGoAhead::SchemaTooOld { built, needed };
            assert_eq!(floors.admit(purpose, built), Err(refused), "{purpose}");
            assert_eq!(floors.admit(purpose, needed), Ok(()), "{purpose}");
        }
        for unknown in ["", "a.c", "a.b.c.d", "b", "*"] {
            let refused = Err(NoGoAhead::PurposeUnknown);
            assert_eq!(floors.admit(unknown, 9), refused, "{unknown}");
        }
        let refused = NoGoAhead::SchemaUnknown {
            built: 10,
            registry: 9,
        };
        assert_eq!(floors.admit("z", 10), Err(refused));
    }
}
