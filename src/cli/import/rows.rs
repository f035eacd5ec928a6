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

/// What became of the rows of a table.
pub struct Taken {
    /// What the cluster says, or why it broke off.
    pub import: Result<Import, Error>,
    /// How many lines were rows or refused rows.
    pub lines: u64,
    /// Why reading broke off, if it did.
    pub unread: Option<io::Error>,
}

/// Imports a table from its beginning; what an earlier run had taken is passed over. Refused rows go to the report,
/// whether they were refused here or by the cluster.
pub async fn take<R: BufRead + Send + 'static>(
    client: &Client,
    header: ImportHeader,
    table: Table<R>,
    report: &RefCell<Report>,
    mut on_step: impl FnMut(&ImportStep),
) -> Taken {
    let lines = Cell::new(0);
    let unread = Cell::new(None);
    let rows = stream::unfold(read(table), |mut read| async {
        loop {
            match read.recv().await? {
                Ok(Line::Row(tag, row)) => {
                    lines.set(lines.get() + 1);
                    return Some((TaggedRow { tag, row }, read));
                }
                Ok(Line::Refused(refused)) => {
                    lines.set(lines.get() + 1);
                    report.borrow_mut().add(refused);
                }
                Err(error) => {
                    unread.set(Some(error));
                    return None;
                }
            }
        }
    });
    let on_step = |step: &ImportStep| {
        for refused in refused_of(step) {
            report.borrow_mut().add(refused);
        }
        on_step(step);
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

/// Reads in a thread that may wait for the disk or a pipe.
fn read<R: BufRead + Send + 'static>(mut table: Table<R>) -> mpsc::Receiver<io::Result<Line>> {
    let (to, from) = mpsc::channel(READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(line) = table.next().transpose() {
            let broken = line.is_err();
            if to.blocking_send(line).is_err() || broken {
                return;
            }
        }
    });
    from
}
