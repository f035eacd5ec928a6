//! `ImportOptOuts`: rows come in by the stream, go into commands of bounded size, and each gets its due in the report.

use tonic::Streaming;

use super::{
    Api, Call, convert,
    input::Input,
    status::{Failure, Transport},
};
use crate::{
    admission::admit,
    authority::{ImportProgress, Unavailable},
    domain::{Body, ImportChunk, ImportRow, Namespace, Outcome, Refusal, RequestId},
    limits,
    proto::v1::{
        self, ImportHeader, ImportOptOutsRequest, ImportOptOutsResponse, ImportRefusal,
        import_opt_outs_request::Part,
    },
};

/// Takes in a whole import, and says what became of its rows.
pub(super) async fn take_in(
    api: &Api,
    call: &Call,
    mut messages: Streaming<ImportOptOutsRequest>,
) -> Result<ImportOptOutsResponse, Failure> {
    let header = match next(call, &mut messages).await? {
        Some(Part::Header(header)) => header,
        Some(Part::Rows(_)) | None => return Err(Input::ImportHeaderRequired.into()),
    };
    let mut import = Import::begin(api, call, &header)?;
    match import.run(&mut messages).await {
        Ok(()) if import.report.rows == 0 => import.nothing_new().await,
        Ok(()) => Ok(import.report),
        // Rows that were taken stay taken, whatever became of the rest.
        Err(failure) if import.report.rows > 0 => Err(Failure::Partly(
            Box::new(failure),
            "`GetImport` tells where to go on",
        )),
        Err(failure) => Err(failure),
    }
}

/// The next message of the stream.
async fn next(
    call: &Call,
    messages: &mut Streaming<ImportOptOutsRequest>,
) -> Result<Option<Part>, Failure> {
    let patience = tokio::time::Instant::now() + limits::IMPORT_SILENCE;
    let until = call.deadline.asked.unwrap_or(patience);
    let message = tokio::time::timeout_at(until, messages.message())
        .await
        // What was written is acknowledged row by row with GetImport, so that an end here loses nothing.
        .map_err(|_| Failure::Unknown(Unavailable::Deadline))?
        .map_err(|status| Transport::of(&status))?;
    match message {
        None => Ok(None),
        Some(ImportOptOutsRequest { part: Some(part) }) => Ok(Some(part)),
        Some(ImportOptOutsRequest { part: None }) => Err(Input::ImportPartRequired.into()),
    }
}

/// An import on its way.
struct Import<'a> {
    api: &'a Api,
    call: &'a Call,
    id: RequestId,
    namespace: Namespace,
    schema_version: u32,
    /// The number of the first row that waits.
    first_row: u64,
    /// The rows that wait to be written.
    rows: Vec<ImportRow>,
    /// Why rows that wait were refused here, by their numbers.
    refused: Vec<(u64, Refusal)>,
    report: ImportOptOutsResponse,
}

impl<'a> Import<'a> {
    fn begin(api: &'a Api, call: &'a Call, header: &ImportHeader) -> Result<Self, Refusal> {
        Ok(Self {
            api,
            call,
            id: RequestId::parse(&header.import_id)?,
            namespace: convert::namespace(&header.namespace)?,
            schema_version: header.schema_version,
            first_row: 0,
            rows: Vec::new(),
            refused: Vec::new(),
            report: ImportOptOutsResponse::default(),
        })
    }

    /// The report of a call without rows: how far the import has come before.
    async fn nothing_new(self) -> Result<ImportOptOutsResponse, Failure> {
        let progress = ImportProgress {
            import_id: self.id,
            namespace: self.namespace,
        };
        let admitted = admit(&self.call.caller, progress)?;
        let deadline = self.call.deadline.one_of_many();
        let next_row = self.api.authority().read(admitted, deadline).await?;
        Ok(ImportOptOutsResponse {
            next_row,
            ..self.report
        })
    }

    /// Takes in all that follows the header.
    async fn run(&mut self, messages: &mut Streaming<ImportOptOutsRequest>) -> Result<(), Failure> {
        loop {
            let message = if self.rows.is_empty() {
                next(self.call, messages).await?
            } else {
                // `next` loses nothing when it is dropped: a message is taken in whole or not at all.
                let Ok(message) =
                    tokio::time::timeout(limits::IMPORT_LINGER, next(self.call, messages)).await
                else {
                    self.flush().await?;
                    continue;
                };
                message?
            };
            match message {
                None => break,
                Some(Part::Header(_)) => return Err(Input::ImportHeaderRepeated.into()),
                Some(Part::Rows(rows)) => self.add(rows).await?,
            }
        }
        self.flush().await
    }

    /// Takes in one message of rows. A bad row is noted and keeps its number; the others go on.
    async fn add(&mut self, message: v1::ImportRows) -> Result<(), Failure> {
        match message.rows.len() {
            0 => return Err(Refusal::ImportRowsRequired.into()),
            1..=limits::IMPORT_CHUNK_ROWS => {}
            _ => return Err(Refusal::ImportChunkTooLarge.into()),
        }
        let after = message.first_row.checked_add(message.rows.len() as u64);
        if after.is_none() {
            return Err(Refusal::ImportChunkTooLarge.into());
        }
        let expected = self.first_row + self.rows.len() as u64;
        if self.rows.is_empty() || expected != message.first_row {
            // Rows that do not follow on each other cannot share a command; the rules judge gaps and repeats.
            self.flush().await?;
            self.first_row = message.first_row;
        }
        for row in message.rows {
            let number = self.first_row + self.rows.len() as u64;
            let row = self.row(row).unwrap_or_else(|refusal| {
                self.refused.push((number, refusal));
                ImportRow::Refused
            });
            self.rows.push(row);
            if self.rows.len() == limits::IMPORT_CHUNK_ROWS {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn row(&self, row: v1::ImportRow) -> Result<ImportRow, Refusal> {
        Ok(ImportRow::OptOut {
            tokens: self.api.tokens(&self.namespace, row.identifiers)?,
            purposes: convert::purposes(&row.purposes)?,
        })
    }

    /// Writes the rows that wait, in commands that fit the log.
    async fn flush(&mut self) -> Result<(), Failure> {
        let rows = std::mem::take(&mut self.rows);
        let first_row = self.first_row;
        self.first_row += rows.len() as u64;
        let chunk = ImportChunk {
            import_id: self.id,
            namespace: self.namespace.clone(),
            schema_version: self.schema_version,
            first_row,
            rows,
        };
        for part in chunk.split() {
            self.write(part).await?;
        }
        Ok(())
    }

    async fn write(&mut self, part: ImportChunk) -> Result<(), Failure> {
        let (first_row, rows) = (part.first_row, part.rows.len() as u64);
        let admitted = admit(&self.call.caller, Body::ImportChunk(part))?;
        let deadline = self.call.deadline.one_of_many();
        let outcome = self.api.authority().write(admitted, deadline).await?;
        let Outcome::Import {
            changed,
            unchanged,
            skipped,
            refusals,
            next_row,
            revision,
        } = outcome
        else {
            return Err(Failure::Panicked);
        };
        let end = first_row + rows;
        let (ours, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.refused)
            .into_iter()
            .partition(|(row, _)| *row < end);
        self.refused = later;
        // Also those of rows that count as taken: the try that took them may be this very call's, its answer lost.
        let mut refusals: Vec<(u64, Refusal)> = ours.into_iter().chain(refusals).collect();
        refusals.sort_by_key(|(row, _)| *row);

        let report = &mut self.report;
        report.rows += rows;
        report.changed += changed;
        report.unchanged += unchanged;
        report.skipped += skipped;
        report.refused += refusals.len() as u64;
        report.revision = revision;
        report.next_row = next_row;
        let room = limits::IMPORT_REFUSALS - report.refusals.len();
        report
            .refusals
            .extend(
                refusals
                    .into_iter()
                    .take(room)
                    .map(|(row, refusal)| ImportRefusal {
                        row,
                        reason: refusal.reason().to_owned(),
                        message: refusal.to_string(),
                    }),
            );
        Ok(())
    }
}
