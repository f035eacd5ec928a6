//! What a purpose put into the registry does to the model.

use super::{Model, covered};
use crate::domain::*;

impl Model {
    /// How a purpose would stand, and whether somebody would get an ALLOW that was a DENY, or lose the way to opt out.
    pub(super) fn plan(&self, put: &Purpose) -> Result<Option<(Purpose, bool)>, &'static str> {
        let name = put.name.as_str();
        let parent = name.rsplit_once('.').map(|(parent, _)| parent);
        let parent_essential = match parent {
            None => true,
            Some(parent) => self.purpose(parent).ok_or("PARENT_UNKNOWN")?.essential,
        };
        if put.essential && !parent_essential {
            return Err("ESSENTIAL_MISPLACED");
        }
        let next = Purpose {
            schema_version: self.schema_version + 1,
            ..put.clone()
        };
        let Some(old) = self.purpose(name) else {
            let denies =
                |p: &Purpose| p.default_deny && !p.essential && covered(name, p.name.as_str());
            let beneath = !put.default_deny && self.purposes.iter().any(denies);
            return Ok(Some((next, put.essential || beneath)));
        };
        let widens = !old.essential && (put.essential || (old.default_deny && !put.default_deny));
        let child = |p: &Purpose| p.name.parent() == Some(name) && p.essential;
        if old.essential && !put.essential && self.purposes.iter().any(child) {
            return Err("ESSENTIAL_MISPLACED");
        }
        let meaning = old.essential != put.essential || old.default_deny != put.default_deny;
        if meaning {
            return Ok(Some((next, widens)));
        }
        let reworded = Purpose {
            schema_version: old.schema_version,
            ..put.clone()
        };
        Ok((reworded != *old).then_some((reworded, widens)))
    }

    pub(super) fn put_planned(&mut self, planned: Purpose) {
        self.schema_version = self.schema_version.max(planned.schema_version);
        self.purposes.retain(|p| p.name != planned.name);
        self.purposes.push(planned);
        self.revision += 1;
    }
}
