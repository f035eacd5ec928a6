//! The limits of what a node tells of itself as it runs: its log, and its traces.

use std::time::Duration;

/// Lines of the log that wait for whoever reads them. More: they are lost, and how many were is told.
pub const LOG_LINES_WAITING: usize = 8_192;

/// How long the end of the process waits until its log is written.
pub const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of a caller's `tracestate` that is passed on. Longer: it is left out, and the trace goes on without.
pub const TRACE_STATE_BYTES: usize = 512;

/// Spans that wait for the collector. More: they are lost, and counted.
pub const SPANS_WAITING: usize = 8_192;

/// Spans in one message to the collector.
pub const SPANS_PER_EXPORT: usize = 512;

/// How long a span waits for others to share a message with.
pub const SPAN_LINGER: Duration = Duration::from_millis(200);

/// How long connecting to the collector may take.
pub const COLLECTOR_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the collector may take for one message. Longer: its spans are lost.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after a message that the collector did not take.
pub const EXPORT_PAUSE: Duration = Duration::from_secs(1);

/// How often the log says that spans are being lost.
pub const SPANS_LOST_INTERVAL: Duration = Duration::from_secs(60);

/// How long the end of the process waits until its spans are with the collector. Longer: they are lost.
pub const SPANS_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
