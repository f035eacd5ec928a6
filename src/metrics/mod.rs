//! What a node counts and times as it happens, and the page on which a scraper reads it, in the `OpenMetrics` text format.
//!
//! A room without knowledge of the others: whoever has something to count is handed the [`Meters`], and whoever serves the page adds
//! what can be read off the node at that moment. Labels are bounded: names of calls, statuses, reasons, members. Never an identifier, a
//! token, or anything else that a caller can choose.

mod meters;
mod page;

pub use self::{
    meters::{Call, Meters, Spans, Timer},
    page::Page,
};
