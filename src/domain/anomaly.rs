//! What is out of the ordinary: the kinds, what was found, and from when on it counts.

use super::ids::RequestId;
use super::refusal::Refusal;
use super::token::SubjectToken;

/// How something is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// One subject went back and forth.
    Flapping,
    /// One subject changed many times.
    ManyChanges,
    /// One caller made many changes.
    Burst,
    /// The same request came again and again.
    Repeated,
    /// An import was far longer or shorter than the last.
    ImportSize,
}

impl AnomalyKind {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 5] = [
        Self::Flapping,
        Self::ManyChanges,
        Self::Burst,
        Self::Repeated,
        Self::ImportSize,
    ];

    /// Its place in [`AnomalyKind::ALL`].
    pub(super) fn place(self) -> usize {
        self as usize
    }
}

/// Something out of the ordinary. Whom it is about, and where, its event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// How.
    pub kind: AnomalyKind,
    /// The subject, by one of its tokens; none where it is about none.
    pub subject: Option<SubjectToken>,
    /// How many there were: changes, turns, repeats; of an import, rows.
    pub count: u64,
    /// From how many on it is out of the ordinary; of an import: the rows of the one before.
    pub expected: u64,
    /// Within how many seconds; 0 for an import.
    pub window_s: u32,
}

/// What counts as out of the ordinary. A count or a factor of 0: nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnomalySettings {
    /// How long changes of one subject are counted, in seconds.
    pub subject_window_s: u32,
    /// Changes of one subject.
    pub subject_changes: u32,
    /// Turns of one subject, from out to in or back, at the same purpose.
    pub subject_turns: u32,
    /// How long changes by one caller are counted, in seconds.
    pub caller_window_s: u32,
    /// Changes by one caller.
    pub caller_changes: u32,
    /// How long repeats of the same request are counted, in seconds.
    pub repeat_window_s: u32,
    /// Repeats of the same request.
    pub repeats: u32,
    /// How many times as long, or as short, an import is as the one before.
    pub import_factor: u32,
    /// Rows that the longer of the two has at least.
    pub import_rows: u32,
}

/// The longest time for which anything is counted, in seconds.
const LONGEST_WINDOW_S: u32 = 3_600;

/// The largest count.
const LARGEST_COUNT: u32 = 1_000_000;

impl Default for AnomalySettings {
    fn default() -> Self {
        Self {
            subject_window_s: 600,
            subject_changes: 20,
            subject_turns: 6,
            caller_window_s: 60,
            caller_changes: 6_000,
            repeat_window_s: 600,
            repeats: 20,
            import_factor: 10,
            import_rows: 1_000,
        }
    }
}

impl AnomalySettings {
    fn validate(&self) -> Result<(), Refusal> {
        let windows = [
            ("subject_window_s", self.subject_window_s),
            ("caller_window_s", self.caller_window_s),
            ("repeat_window_s", self.repeat_window_s),
        ];
        let counts = [
            ("subject_changes", self.subject_changes),
            ("subject_turns", self.subject_turns),
            ("caller_changes", self.caller_changes),
            ("repeats", self.repeats),
            ("import_factor", self.import_factor),
        ];
        let invalid = |what, bounds| Err(Refusal::ThresholdInvalid { what, bounds });
        for (what, seconds) in windows {
            if !(1..=LONGEST_WINDOW_S).contains(&seconds) {
                return invalid(what, "1 to 3,600 seconds");
            }
        }
        for (what, count) in counts {
            if count == 1 || count > LARGEST_COUNT {
                return invalid(what, "2 to 1,000,000, or 0 for never");
            }
        }
        if !(1..=LARGEST_COUNT).contains(&self.import_rows) {
            return invalid("import_rows", "1 to 1,000,000");
        }
        Ok(())
    }
}

/// Sets what counts as out of the ordinary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigureAnomalies {
    /// Names the request.
    pub request_id: RequestId,
    /// As it is to stand.
    pub settings: AnomalySettings,
}

impl ConfigureAnomalies {
    pub(super) fn validate(&self) -> Result<(), Refusal> {
        self.settings.validate()
    }
}
