//! From a CSV to the cluster: reading in a thread of its own, sending in steps.

use std::{
    cell::{Cell, RefCell},
    io::{self, BufRead},
};

use futures::stream;
use refrain::{
    client::{Client, Error, Import, ImportStep, TaggedRow},
    proto::v1::ImportHeader,
};
use tokio::sync::mpsc;

use super::{
    report::Report,
    table::{Line, Refused, Table},
};

/// How many lines are read ahead.
const READ_AHEAD: usize = 2_000;

/// How much of a file an import had taken: so many rows, and the SHA-256 of the file up to the end of the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// How many rows.
    pub rows: u64,
    /// The hash, in hex.
    pub sha256: String,
}

/// Why reading broke off.
#[derive(Debug)]
pub enum Unread {
    /// The disk's or pipe's own word.
    Io(io::Error),
    /// The file is another than the one of which so many rows had been taken.
    Changed(u64),
}

/// What became of the rows of a table.
pub struct Taken {
    /// What the cluster says, or why it broke off.
    pub import: Result<Import, Error>,
    /// How many lines were rows or refused rows.
    pub lines: u64,
    /// Why reading broke off, if it did.
    pub unread: Option<Unread>,
}

/// Imports a table from its beginning; what an earlier run had taken is passed over, and held against `before`. Refused
/// rows go to the report, whether they were refused here or by the cluster. `on_step` hears of each step, and how much
/// of the file had been taken with it.
pub async fn take<R: BufRead + Send + 'static>(
    client: &Client,
    header: ImportHeader,
    table: Table<R>,
    report: &RefCell<Report>,
    before: Option<Extent>,
    mut on_step: impl FnMut(&ImportStep, Option<Extent>),
) -> Taken {
    let lines = Cell::new(0);
    let unread = Cell::new(None);
    let before = before.as_ref();
    // A step ends with the row that was read last, or with the one before: it may have had no room for the last.
    let ends = Cell::new([(0, [0; 32]); 2]);
    let rows = stream::unfold(read(table), |mut read| async {
        loop {
            let [_, (rows, _)] = ends.get();
            let changed = |extent: &Extent| unread.set(Some(Unread::Changed(extent.rows)));
            let Some(line) = read.recv().await else {
                before.filter(|it| rows < it.rows).map(changed);
                return None;
            };
            match line {
                Ok((Line::Row(tag, row), sha256)) => {
                    lines.set(lines.get() + 1);
                    let [_, last] = ends.replace([ends.get()[1], (rows + 1, sha256)]);
                    let differs =
                        |it: &&Extent| it.rows == last.0 + 1 && it.sha256 != hex::encode(sha256);
                    // All rows so far are passed over, so that nothing of a file that changed is sent.
                    if let Some(extent) = before.filter(differs) {
                        changed(extent);
                        return None;
                    }
                    return Some((TaggedRow { tag, row }, read));
                }
                Ok((Line::Refused(refused), _)) => {
                    lines.set(lines.get() + 1);
                    report.borrow_mut().add(refused);
                }
                Err(error) => {
                    unread.set(Some(Unread::Io(error)));
                    return None;
                }
            }
        }
    });
    let on_step = |step: &ImportStep| {
        for refused in refused_of(step) {
            report.borrow_mut().add(refused);
        }
        let end = ends.get().into_iter().find(|end| end.0 == step.next_row);
        let extent = end.map(|(rows, sha256)| Extent {
            rows,
            sha256: hex::encode(sha256),
        });
        on_step(step, extent);
    };
    let import = client.import(header, rows, on_step).await;
    Taken {
        import,
        lines: lines.get(),
        unread: unread.take(),
    }
}

/// The rows that the cluster refused in a step, by their lines.
pub fn refused_of(step: &ImportStep) -> impl Iterator<Item = Refused> + '_ {
    step.refused.iter().map(|it| Refused {
        line: it.tag,
        reason: it.reason.clone(),
        message: it.message.clone(),
    })
}

/// A line, and the SHA-256 of the file up to its end.
type Hashed = io::Result<(Line, [u8; 32])>;

/// Reads in a thread that may wait for the disk or a pipe.
fn read<R: BufRead + Send + 'static>(mut table: Table<R>) -> mpsc::Receiver<Hashed> {
    let (to, from) = mpsc::channel(READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(line) = table.next().transpose() {
            let broken = line.is_err();
            let sha256 = table.sha256();
            if to.blocking_send(line.map(|line| (line, sha256))).is_err() || broken {
                return;
            }
        }
    });
    from
}
