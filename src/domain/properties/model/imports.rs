//! What an import does to the model.

use super::super::script::IMPORTS;
use super::{Answer, Model};
use crate::domain::*;

impl Model {
    pub(super) fn import(&mut self, command: &Command, chunk: &ImportChunk) -> Answer {
        if chunk.rows.is_empty() {
            return Err("IMPORT_ROWS_REQUIRED");
        }
        let known = self
            .imports
            .iter()
            .find(|(id, _)| *id == chunk.import_id)
            .map(|(_, row)| *row);
        let smallest = self.imports.iter().map(|(id, _)| *id).min();
        let full = self.imports.len() == IMPORTS;
        let next = match known {
            Some(next) => next,
            None if self.import_floor >= Some(chunk.import_id) => return Err("REQUEST_ID_EXPIRED"),
            None => {
                self.check_new(chunk.import_id, smallest.filter(|_| full), 600_000)?;
                0
            }
        };
        if chunk.first_row > next {
            return Err("IMPORT_GAP");
        }
        let (mut changed, mut unchanged, mut skipped) = (0, 0, 0);
        let mut refusals = Vec::new();
        for (at, row) in chunk.rows.iter().enumerate() {
            let number = chunk.first_row + at as u64;
            match row {
                ImportRow::Refused => {}
                ImportRow::OptOut { tokens, purposes } if number < next => {
                    let fits = Self::check_lists(tokens, purposes)
                        .and_then(|()| self.check_purposes(purposes));
                    match fits {
                        Ok(()) => skipped += 1,
                        Err(reason) => refusals.push((number, reason)),
                    }
                }
                ImportRow::OptOut { tokens, purposes } => {
                    let id = command.event_id.derive(number);
                    let settled = Self::check_lists(tokens, purposes).and_then(|()| {
                        self.check_purposes(purposes)?;
                        Ok(self.wish(id, &chunk.namespace, tokens, purposes, &[]))
                    });
                    match settled {
                        Ok(Outcome::Preference { changed: true, .. }) => changed += 1,
                        Ok(_) => unchanged += 1,
                        Err(reason) => refusals.push((number, reason)),
                    }
                }
            }
        }
        let next_row = next.max(chunk.first_row + chunk.rows.len() as u64);
        self.imports.retain(|(id, _)| *id != chunk.import_id);
        self.imports.push((chunk.import_id, next_row));
        if self.imports.len() > IMPORTS {
            self.import_floor = smallest;
            self.imports.retain(|(id, _)| Some(*id) != smallest);
        }
        if next_row > next {
            self.measure_import(command, chunk, next_row);
        }
        let refusals = refusals.into_iter().map(|(row, reason)| {
            let kind = RefusalKind::Invalid;
            (row, Refusal::relayed(reason, String::new(), kind))
        });
        Ok(Outcome::Import {
            changed,
            unchanged,
            skipped,
            refusals: refusals.collect(),
            next_row,
            revision: self.revision,
        })
    }
}
