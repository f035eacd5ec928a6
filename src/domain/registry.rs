//! Which purposes there are, how they lie in the tree, and which changes of them are refused.

#[cfg(test)]
mod tests;

use hashbrown::HashMap;

use super::names::PurposeName;
use super::purpose::Purpose;
use super::refusal::Refusal;
use crate::limits;

/// The place of a purpose in the order in which purposes were added, from 1; the same on every node. 0 is `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PurposeId(pub(crate) u16);

impl PurposeId {
    /// `*`, the root of all purposes that are not essential.
    pub(crate) const ROOT: Self = Self(0);
}

/// The registered purposes.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// In the order in which they were added: the purpose with id `n` stands at `n - 1`.
    purposes: Vec<Registered>,
    by_name: HashMap<PurposeName, PurposeId>,
    schema_version: u32,
}

/// What putting a purpose would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The purpose as it would stand, with its schema version.
    pub(crate) purpose: Purpose,
    /// Whether it would allow what is denied today: then it needs two principals.
    pub(crate) widens: bool,
}

#[derive(Debug, Clone)]
struct Registered {
    purpose: Purpose,
    parent: PurposeId,
}

impl Registry {
    /// The purpose of this name; none for `*`.
    pub fn get(&self, name: &PurposeName) -> Option<&Purpose> {
        self.id(name).and_then(|id| self.purpose(id))
    }

    /// All purposes, by name.
    pub fn purposes(&self) -> impl Iterator<Item = &Purpose> {
        let mut sorted: Vec<&Purpose> = self.in_order().collect();
        sorted.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        sorted.into_iter()
    }

    /// Raised by every added purpose and every change of meaning.
    pub fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// Refuses a caller that was built for a newer registry.
    ///
    /// # Errors
    /// `SCHEMA_UNKNOWN`.
    pub fn check_schema(&self, asked: u32) -> Result<(), Refusal> {
        if asked <= self.schema_version {
            Ok(())
        } else {
            Err(Refusal::SchemaUnknown {
                asked,
                known: self.schema_version,
            })
        }
    }

    /// The purposes in the order in which they were added.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Purpose> {
        self.purposes.iter().map(|registered| &registered.purpose)
    }

    /// The one at a place, from 0, in the order in which they were added.
    pub(crate) fn at(&self, place: usize) -> Option<&Purpose> {
        self.purposes
            .get(place)
            .map(|registered| &registered.purpose)
    }

    /// The id of a purpose, or of `*`.
    pub(crate) fn id(&self, name: &PurposeName) -> Option<PurposeId> {
        if name.is_root() {
            return Some(PurposeId::ROOT);
        }
        self.by_name.get(name).copied()
    }

    /// The purpose with this id; none for `*`.
    pub(crate) fn purpose(&self, id: PurposeId) -> Option<&Purpose> {
        self.registered(id).map(|registered| &registered.purpose)
    }

    /// The name of an id; `*` too.
    pub(crate) fn name(&self, id: PurposeId) -> Option<PurposeName> {
        if id == PurposeId::ROOT {
            return Some(PurposeName::root());
        }
        self.purpose(id).map(|purpose| purpose.name.clone())
    }

    /// The purpose itself, its parent, and so on up to `*`.
    pub(crate) fn path(&self, id: PurposeId) -> impl Iterator<Item = PurposeId> + '_ {
        std::iter::successors(Some(id), |id| {
            self.registered(*id).map(|registered| registered.parent)
        })
    }

    /// Whether `id` lies beneath `above`; not where they are the same.
    pub(crate) fn is_below(&self, id: PurposeId, above: PurposeId) -> bool {
        self.path(id).skip(1).any(|step| step == above)
    }

    /// The id of a purpose that a preference may be set for, or of `*`.
    ///
    /// # Errors
    /// `PURPOSE_UNKNOWN`, `PURPOSE_ESSENTIAL`.
    pub(crate) fn preferable(&self, name: &PurposeName) -> Result<PurposeId, Refusal> {
        let id = self.id(name).ok_or_else(|| Refusal::PurposeUnknown {
            purpose: name.to_string(),
        })?;
        match self.purpose(id) {
            Some(purpose) if purpose.essential => Err(Refusal::PurposeEssential {
                purpose: name.to_string(),
            }),
            _ => Ok(id),
        }
    }

    /// What would happen if a purpose were put; none where nothing would change.
    ///
    /// # Errors
    /// What [`Purpose::validate`] says, `PARENT_UNKNOWN`, `ESSENTIAL_MISPLACED`, `REGISTRY_FULL`.
    pub(crate) fn plan(&self, put: &Purpose) -> Result<Option<Plan>, Refusal> {
        put.validate()?;
        let name = || put.name.to_string();
        if put.essential && !self.may_be_essential(put)? {
            return Err(Refusal::EssentialMisplaced { purpose: name() });
        }
        let next_version = self.schema_version.saturating_add(1);
        let Some(id) = self.id(&put.name) else {
            self.parent_of(&put.name)?;
            if self.purposes.len() >= limits::PURPOSES {
                return Err(Refusal::RegistryFull {
                    what: "purposes",
                    limit: limits::PURPOSES,
                });
            }
            // Nobody can opt out of an essential purpose, not by `*` either: who registers one goes round every opt-out. And
            // what lies beneath a purpose that denies by default would be a way round that.
            return Ok(Some(Plan {
                widens: put.essential || (!put.default_deny && self.denies_above(&put.name)),
                purpose: Purpose {
                    schema_version: next_version,
                    ..put.clone()
                },
            }));
        };
        let Some(standing) = self.purpose(id) else {
            return Ok(None);
        };
        // An essential purpose is allowed to everybody: whatever it becomes, it allows no more.
        let widens = put.essential || (standing.default_deny && !put.default_deny);
        if standing.essential
            && !put.essential
            && let Some(child) = self.essential_child(id)
        {
            return Err(Refusal::EssentialMisplaced {
                purpose: child.name.to_string(),
            });
        }
        let same_meaning =
            standing.default_deny == put.default_deny && standing.essential == put.essential;
        if same_meaning && standing.description == put.description {
            return Ok(None);
        }
        Ok(Some(Plan {
            widens: widens && !standing.essential,
            purpose: Purpose {
                schema_version: if same_meaning {
                    standing.schema_version
                } else {
                    next_version
                },
                ..put.clone()
            },
        }))
    }

    /// Puts a purpose as an event recorded it, and says under which id and what stood there before.
    ///
    /// # Errors
    /// `PARENT_UNKNOWN`, `REGISTRY_FULL`: then nothing has changed.
    pub(crate) fn put(
        &mut self,
        purpose: Purpose,
    ) -> Result<(PurposeId, Option<Purpose>), Refusal> {
        let version = self.schema_version.max(purpose.schema_version);
        if let Some(id) = self.by_name.get(&purpose.name).copied()
            && let Some(registered) = self.purposes.get_mut(usize::from(id.0).wrapping_sub(1))
        {
            self.schema_version = version;
            let before = std::mem::replace(&mut registered.purpose, purpose);
            return Ok((id, Some(before)));
        }
        let parent = self.parent_of(&purpose.name)?;
        let id = u16::try_from(self.purposes.len() + 1).unwrap_or(u16::MAX);
        if usize::from(id) > limits::PURPOSES {
            return Err(Refusal::RegistryFull {
                what: "purposes",
                limit: limits::PURPOSES,
            });
        }
        let id = PurposeId(id);
        self.schema_version = version;
        self.by_name.insert(purpose.name.clone(), id);
        self.purposes.push(Registered { purpose, parent });
        Ok((id, None))
    }

    /// Sets the schema version as a snapshot recorded it.
    pub(crate) fn restore_schema_version(&mut self, version: u32) {
        self.schema_version = version;
    }

    fn registered(&self, id: PurposeId) -> Option<&Registered> {
        self.purposes.get(usize::from(id.0).checked_sub(1)?)
    }

    fn parent_of(&self, name: &PurposeName) -> Result<PurposeId, Refusal> {
        match name.parent() {
            None => Ok(PurposeId::ROOT),
            Some(parent) => {
                self.by_name
                    .get(parent)
                    .copied()
                    .ok_or_else(|| Refusal::ParentUnknown {
                        purpose: name.to_string(),
                    })
            }
        }
    }

    /// Whether a purpose above a name denies people without a record.
    fn denies_above(&self, name: &PurposeName) -> bool {
        std::iter::successors(name.parent(), |above| {
            above.rsplit_once('.').map(|(above, _)| above)
        })
        .filter_map(|above| self.by_name.get(above))
        .filter_map(|id| self.purpose(*id))
        .any(|above| above.default_deny && !above.essential)
    }

    fn may_be_essential(&self, put: &Purpose) -> Result<bool, Refusal> {
        let parent = self.parent_of(&put.name)?;
        Ok(self.purpose(parent).is_none_or(|parent| parent.essential))
    }

    fn essential_child(&self, id: PurposeId) -> Option<&Purpose> {
        self.purposes
            .iter()
            .filter(|registered| registered.parent == id)
            .map(|registered| &registered.purpose)
            .find(|purpose| purpose.essential)
    }
}
