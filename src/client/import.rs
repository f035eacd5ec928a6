//! Importing opt-outs from any stream of rows, in steps that are acknowledged one by one.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use prost::Message as _;

use super::{
    Client,
    call::{Effect, timed},
    error::{Error, Outcome},
    preferences::preferences,
};
use crate::proto::v1::{
    ImportHeader, ImportOptOutsRequest, ImportOptOutsResponse, ImportRow, ImportRows,
    import_opt_outs_request::Part,
};

/// The most rows of one step. Also the most refusals that the server lists for one, so that none goes unnamed.
const STEP_ROWS_MAX: usize = 1_000;

/// The most bytes of one step, well under what a server takes in one message.
const STEP_BYTES_MAX: usize = 1 << 20;

/// The most bytes of one row.
const ROW_BYTES_MAX: usize = 256 << 10;

/// How long one attempt at a step may take.
const STEP_ATTEMPT: Duration = Duration::from_secs(15);

/// A row with a number of the caller's own, such as its line in a file; it comes back with a refusal.
#[derive(Clone, PartialEq)]
pub struct TaggedRow {
    /// The caller's number.
    pub tag: u64,
    /// The row.
    pub row: ImportRow,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRefused {
    /// The caller's number for it.
    pub tag: u64,
    /// Its 0-based number within the import.
    pub row: u64,
    /// The stable reason, such as `PURPOSE_UNKNOWN`.
    pub reason: String,
    /// What is wrong and what to do. Holds no identifier.
    pub message: String,
}

/// What became of the rows of one step: durable when it is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportStep {
    /// How many rows it had.
    pub rows: u64,
    /// Rows that made an event.
    pub changed: u64,
    /// Rows whose subjects were opted out already.
    pub unchanged: u64,
    /// Rows that had been taken before, by an earlier run or by an attempt whose answer was lost.
    pub skipped: u64,
    /// The rows that were refused.
    pub refused: Vec<ImportRefused>,
    /// The row that the import goes on with.
    pub next_row: u64,
    /// The revision after this step.
    pub revision: u64,
    /// The caller's number for the last row.
    pub last_tag: u64,
}

/// What became of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// Its id.
    pub import_id: String,
    /// How many rows came from the stream.
    pub rows: u64,
    /// Rows that made an event.
    pub changed: u64,
    /// Rows whose subjects were opted out already.
    pub unchanged: u64,
    /// Rows that had been taken before.
    pub skipped: u64,
    /// How many rows were refused.
    pub refused: u64,
    /// The row that the import would go on with.
    pub next_row: u64,
    /// The revision after the last step; 0 where every row had been taken before.
    pub revision: u64,
}

impl Client {
    /// Imports the rows of a stream. With the `import_id` of an earlier call (see [`Client::new_request_id`]), the same
    /// stream from its beginning: what was taken is passed over. Without one, a new id is made. `on_step` hears of
    /// each step as soon as it is durable.
    ///
    /// # Errors
    /// A refusal of the import as a whole, or no answer in time. What `on_step` heard of is done; call again with the
    /// same id to go on.
    pub async fn import(
        &self,
        mut header: ImportHeader,
        rows: impl Stream<Item = TaggedRow>,
        mut on_step: impl FnMut(&ImportStep),
    ) -> Result<Import, Error> {
        self.tenant(&mut header.namespace);
        self.caller(&mut String::new(), &mut header.schema_version);
        let mut total = Import::default();
        if header.import_id.is_empty() {
            header.import_id = self.new_request_id();
        } else {
            let known = self.import_position(&header.import_id, &header.namespace);
            total.next_row = known.await?;
        }
        total.import_id.clone_from(&header.import_id);

        let passed_over = total.next_row;
        let mut rows = std::pin::pin!(rows);
        let mut step = Step::default();
        while let Some(next) = rows.next().await {
            total.rows += 1;
            if total.rows <= passed_over {
                total.skipped += 1;
                continue;
            }
            let bytes = next.row.encoded_len();
            if bytes > ROW_BYTES_MAX {
                return Err(Error::setting(format!(
                    "the row tagged {} has {bytes} bytes, more than {ROW_BYTES_MAX}",
                    next.tag
                )));
            }
            if step.bytes + bytes > STEP_BYTES_MAX {
                let full = std::mem::take(&mut step);
                on_step(&self.step(&header, &mut total, full).await?);
            }
            step.push(next, bytes);
            if step.rows.len() >= STEP_ROWS_MAX {
                let full = std::mem::take(&mut step);
                on_step(&self.step(&header, &mut total, full).await?);
            }
        }
        if !step.rows.is_empty() {
            on_step(&self.step(&header, &mut total, step).await?);
        }
        Ok(total)
    }

    /// Has one step taken, however many attempts it needs within the deadline.
    async fn step(
        &self,
        header: &ImportHeader,
        total: &mut Import,
        step: Step,
    ) -> Result<ImportStep, Error> {
        let first_row = total.next_row;
        let last_tag = step.tags.last().copied().unwrap_or_default();
        let next_row = first_row + step.rows.len() as u64;
        let parts = [
            Part::Header(header.clone()),
            Part::Rows(ImportRows {
                first_row,
                rows: step.rows,
            }),
        ]
        .map(|part| ImportOptOutsRequest { part: Some(part) });

        let deadline = self.0.settings.import_deadline;
        let limits = (deadline, STEP_ATTEMPT.min(deadline));
        let answer = self
            .call_within(Effect::Changes, limits, |channel, limit| {
                let parts = timed(futures::stream::iter(parts.clone()), limit);
                async move { preferences(channel).import_opt_outs(parts).await }
            })
            .await?;
        if answer.next_row < next_row {
            return Err(Error::invalid_answer(
                Outcome::Unknown,
                format!(
                    "the import stands at row {}, although rows up to {next_row} were sent",
                    answer.next_row
                ),
            ));
        }
        let done = ImportStep {
            rows: next_row - first_row,
            changed: answer.changed,
            unchanged: answer.unchanged,
            skipped: answer.skipped,
            refused: refusals(&answer, first_row, &step.tags),
            next_row,
            revision: answer.revision,
            last_tag,
        };
        total.changed += done.changed;
        total.unchanged += done.unchanged;
        total.skipped += done.skipped;
        total.refused += answer.refused;
        total.next_row = next_row;
        total.revision = done.revision;
        Ok(done)
    }
}

/// The rows that gather until they are sent.
#[derive(Default)]
struct Step {
    rows: Vec<ImportRow>,
    tags: Vec<u64>,
    bytes: usize,
}

impl Step {
    fn push(&mut self, next: TaggedRow, bytes: usize) {
        self.rows.push(next.row);
        self.tags.push(next.tag);
        self.bytes += bytes;
    }
}

/// The refusals, under the caller's numbers.
fn refusals(answer: &ImportOptOutsResponse, first_row: u64, tags: &[u64]) -> Vec<ImportRefused> {
    let named = |refusal: &crate::proto::v1::ImportRefusal| {
        let at = usize::try_from(refusal.row.checked_sub(first_row)?).ok()?;
        Some(ImportRefused {
            tag: *tags.get(at)?,
            row: refusal.row,
            reason: refusal.reason.clone(),
            message: refusal.message.clone(),
        })
    };
    answer.refusals.iter().filter_map(named).collect()
}
