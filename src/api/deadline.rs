//! How long a call may take: what the caller asked for, within bounds, or the default.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::Instant;

use crate::config::Deadlines;

/// How much of a caller's time is kept back, so that our own answer, which says what became of the call, arrives before
/// the caller (or the transport) gives up without one.
const MARGIN: Duration = Duration::from_millis(20);

/// When a call must be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// When the caller wants the whole call to end; `None` where it did not say.
    pub(crate) asked: Option<Instant>,
    /// How long one piece of work may take.
    step: Duration,
}

impl Deadline {
    /// Reads the `grpc-timeout` of a call that begins now.
    pub(crate) fn of(headers: &HeaderMap, bounds: Deadlines) -> Self {
        let asked = headers
            .get("grpc-timeout")
            .and_then(|value| parse(value.to_str().ok()?))
            .map(|asked| asked.min(bounds.max));
        let own = asked.map(|asked| asked.saturating_sub(MARGIN.min(asked / 10)));
        Self {
            asked: own.map(|own| Instant::now() + own),
            step: bounds.default,
        }
    }

    /// When a piece of work that begins now must be done: by the caller's deadline; without one, after the default.
    pub(crate) fn step(&self) -> Instant {
        self.asked.unwrap_or_else(|| Instant::now() + self.step)
    }

    /// The same for one of many pieces of work of a long call: after the default, and by the caller's deadline.
    pub(crate) fn one_of_many(&self) -> Instant {
        let step = Instant::now() + self.step;
        self.asked.map_or(step, |asked| asked.min(step))
    }
}

/// Reads a `grpc-timeout`: 1 to 8 digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(amount * 3600),
        'M' => Duration::from_secs(amount * 60),
        'S' => Duration::from_secs(amount),
        'm' => Duration::from_millis(amount),
        'u' => Duration::from_micros(amount),
        'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Deadlines = Deadlines {
        default: Duration::from_secs(5),
        max: Duration::from_secs(60),
    };

    fn left(timeout: Option<&'static str>) -> Duration {
        let mut headers = HeaderMap::new();
        if let Some(timeout) = timeout {
            headers.insert("grpc-timeout", timeout.parse().expect("header"));
        }
        Deadline::of(&headers, BOUNDS).step() - Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn the_caller_is_heard_within_bounds() {
        assert_eq!(left(None), BOUNDS.default);
        assert_eq!(left(Some("2S")), Duration::from_millis(1980));
        assert_eq!(left(Some("10m")), Duration::from_millis(9));
        assert_eq!(left(Some("99999999H")) + MARGIN, BOUNDS.max);
        for wrong in ["", "5", "S", "5x", "-5S", "123456789S", "5\u{e9}"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_many_has_the_default_and_no_more_than_the_call() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", "1M".parse().expect("header"));
        let long = Deadline::of(&headers, BOUNDS);
        assert_eq!(long.one_of_many() - Instant::now(), BOUNDS.default);
        headers.insert("grpc-timeout", "1S".parse().expect("header"));
        let short = Deadline::of(&headers, BOUNDS);
        assert_eq!(
            short.one_of_many() - Instant::now(),
            Duration::from_millis(980)
        );
    }
}
