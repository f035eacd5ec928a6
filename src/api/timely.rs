//! A body that must have arrived in time: whoever sends a message slowly, or half of one, holds a call's place no longer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::HttpBody;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Status, body::Body};

use super::status::{Failure, Transport};

/// A body with a time by which it must have been read whole.
pub(super) struct Timely {
    body: Body,
    ends: Instant,
    /// Made only for a body that is waited for: most arrive with their headers.
    late: Option<Pin<Box<Sleep>>>,
}

impl Timely {
    /// A body that fails once `ends` has passed.
    pub(super) fn new(body: Body, ends: Instant) -> Self {
        Self {
            body,
            ends,
            late: None,
        }
    }
}

impl HttpBody for Timely {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let ends = self.ends;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep_until(ends)));
        late.as_mut()
            .poll(cx)
            .map(|()| Some(Err(Failure::from(Transport::MessageSlow).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
