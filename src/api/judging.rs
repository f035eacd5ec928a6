//! How a batch of reports is judged: one batch at a time, with pauses for others, and by the subjects' histories where these are needed.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant as Deadline,
};
use tracing::Instrument as _;

use super::{Api, Call, found::Verdict, input::Input, status::Failure};
use crate::{
    admission::admit,
    authority::{Finding, Judge, Unavailable},
    domain::{Event, Judged, Processed, Revision, Token},
    feed::Head,
    limits,
};

/// A report in the domain's words, and its place in the batch.
pub(super) type Placed = (usize, Processed);

/// A report, its place, and its subject's events where they are needed.
type Known = (usize, Processed, Option<Vec<Event>>);

/// A report, its place, and where its subject's events end.
type Changed = (usize, Processed, Vec<(Token, Revision)>);

/// The right to judge a batch. When it is given back, others get the pause that is due to them before the next batch.
pub(super) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    busy: Duration,
}

impl Turn {
    /// Waits for it.
    pub(super) async fn take(
        judging: &Arc<Semaphore>,
        deadline: Deadline,
    ) -> Result<Self, Unavailable> {
        let permit = Arc::clone(judging).acquire_owned();
        let permit = tokio::time::timeout_at(deadline, permit)
            .await
            .map_err(|_| Unavailable::Overloaded)?
            .map_err(|_| Unavailable::Draining)?;
        Ok(Self {
            permit: Some(permit),
            busy: Duration::ZERO,
        })
    }

    /// Adds what a piece of work took.
    pub(super) fn took(&mut self, took: Duration) {
        self.busy += took;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (permit, pause) = (self.permit.take(), self.busy * limits::REPORT_PAUSE);
        // Without a runtime there is nobody to judge either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(pause).await;
                drop(permit);
            });
        }
    }
}

/// A batch that is being judged.
struct Judging {
    api: Api,
    call: Call,
    turn: Turn,
    deadline: Deadline,
    judged: Vec<Verdict>,
    refused: Vec<(usize, Failure)>,
    /// Those whose subject has changed since.
    changed: VecDeque<Changed>,
}

/// What became of the reports of a batch: those that were judged, and those that could not be.
pub(super) type Outcome = (Vec<Verdict>, Vec<(usize, Failure)>);

impl Api {
    /// Judges reports. Whoever asked may go meanwhile: what was begun is done to its end, and takes its turn and its pause.
    pub(super) async fn judge(
        &self,
        call: &Call,
        reports: Vec<Placed>,
        turn: Turn,
        deadline: Deadline,
    ) -> Result<Outcome, Failure> {
        let judging = Judging {
            api: self.clone(),
            call: call.clone(),
            turn,
            deadline,
            judged: Vec::with_capacity(reports.len()),
            refused: Vec::new(),
            changed: VecDeque::new(),
        };
        tokio::spawn(judging.run(reports).in_current_span())
            .await
            .map_err(|_| Unavailable::Draining)?
    }
}

impl Judging {
    /// Some at a time, so that no change waits for all of them; then those whose subject has changed since, by its history.
    async fn run(mut self, reports: Vec<Placed>) -> Result<Outcome, Failure> {
        let mut waiting = reports
            .into_iter()
            .map(|(place, report)| (place, report, None));
        loop {
            let some: Vec<Known> = waiting.by_ref().take(limits::REPORTS_AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            self.judge(some).await?;
        }
        // Histories get half of the time that is left: what does not fit is refused by itself, and what was found is told.
        let now = Deadline::now();
        let until = now + self.deadline.saturating_duration_since(now) / 2;
        while !self.changed.is_empty() {
            let some = self.with_history(until).await;
            self.judge(some).await?;
        }
        self.judged.sort_by_key(|(place, ..)| *place);
        Ok((self.judged, self.refused))
    }

    async fn judge(&mut self, some: Vec<Known>) -> Result<(), Failure> {
        if some.is_empty() {
            return Ok(());
        }
        let places: Vec<usize> = some.iter().map(|(place, ..)| *place).collect();
        let reports = some
            .into_iter()
            .map(|(_, report, history)| (report, history));
        let judge = Judge {
            reports: reports.collect(),
        };
        let admitted = admit(&self.call.caller, judge)?;
        let verdicts = self.api.authority().read(admitted, self.deadline).await?;
        self.turn.took(verdicts.took);
        for (place, (report, finding)) in places.into_iter().zip(verdicts.judged) {
            match finding {
                Ok(Finding::Judged(Judged::KeyForgotten)) => {
                    self.refused.push((place, Input::StampKeyForgotten.into()));
                }
                Ok(Finding::Judged(verdict)) => self.judged.push((place, report, verdict)),
                Ok(Finding::EndsAt(ends)) => self.changed.push_back((place, report, ends)),
                Err(refusal) => self.refused.push((place, refusal.into())),
            }
        }
        Ok(())
    }

    /// The next reports with their histories: as many as hold about as much as one may.
    async fn with_history(&mut self, until: Deadline) -> Vec<Known> {
        let (mut some, mut held) = (Vec::new(), 0);
        while held < limits::JUDGED_EVENTS
            && some.len() < limits::REPORTS_AT_ONCE
            && let Some((place, report, ends)) = self.changed.pop_front()
        {
            let begun = Instant::now();
            let past = self.past(ends, until).await;
            self.turn.took(begun.elapsed());
            match past {
                Ok(Some(events)) => {
                    held += events.iter().map(weight).sum::<usize>();
                    some.push((place, report, Some(events)));
                }
                Ok(None) => self.refused.push((place, Input::HistoryTooLong.into())),
                Err(failure) => self.refused.push((place, failure)),
            }
        }
        some
    }

    /// All events of a subject, the oldest first; none where there are too many.
    async fn past(
        &self,
        ends: Vec<(Token, Revision)>,
        until: Deadline,
    ) -> Result<Option<Vec<Event>>, Failure> {
        let heads = ends.into_iter();
        let heads = heads.map(|(token, revision)| Head { token, revision });
        let limit = limits::JUDGED_EVENTS;
        let feed = &self.api.parts().feed;
        let page = feed.history(heads.collect(), 0, limit, until).await?;
        let mut events = page.events;
        events.reverse();
        Ok((page.next_before == 0).then_some(events))
    }
}

/// How many records an event sets.
fn weight(event: &Event) -> usize {
    event.tokens.len() * event.changes().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_each_turn_others_get_their_pause_however_it_ended() {
        let judging = Arc::new(Semaphore::new(1));
        let in_time = |time| Deadline::now() + time;
        let took = Duration::from_millis(10);
        for gone in [false, true] {
            let far = Duration::from_secs(60);
            let mut turn = Turn::take(&judging, in_time(far)).await.unwrap();
            turn.took(took);
            if gone {
                // Whoever was at it was dropped.
                let at_it = tokio::spawn(async move {
                    std::future::pending::<()>().await;
                    drop(turn);
                });
                tokio::task::yield_now().await;
                at_it.abort();
            } else {
                drop(turn);
            }
            let pause = took * limits::REPORT_PAUSE;
            let early = Turn::take(&judging, in_time(pause / 2)).await;
            assert_eq!(early.err(), Some(Unavailable::Overloaded), "{gone}");
            assert!(Turn::take(&judging, in_time(pause)).await.is_ok());
        }
    }
}
