//! What the invariants say of a history: what is violated, with the few operations that show it, and what was not judged.

use std::fmt;

use super::history::{Call, Change, Changes, Entry, Operation, Outcome};

/// The most lines that one violation shows of the history.
const EXCERPT: usize = 12;
/// The most violations of one invariant that are shown; all are counted.
const SHOWN: usize = 5;

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, in one sentence.
    pub what: String,
    /// The operations and events that show it.
    pub excerpt: Vec<String>,
}

/// What one invariant found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Each violation.
    pub violations: Vec<Violation>,
    /// What it did not judge, because that would have taken too long: no violation, and no pass either.
    pub gave_up: Vec<String>,
}

/// What all invariants found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// By invariant: its number, its promise, what it found.
    pub findings: Vec<(&'static str, &'static str, Findings)>,
}

impl Findings {
    /// Takes note of a violation.
    pub fn violation(
        &mut self,
        what: impl Into<String>,
        excerpt: impl IntoIterator<Item = impl fmt::Display>,
    ) {
        let mut lines: Vec<String> = excerpt.into_iter().map(|line| line.to_string()).collect();
        let more = lines.len().saturating_sub(EXCERPT);
        if more > 0 {
            lines.truncate(EXCERPT);
            lines.push(format!("and {more} more"));
        }
        self.violations.push(Violation {
            what: what.into(),
            excerpt: lines,
        });
    }
}

impl Report {
    /// The numbers of the invariants that are violated.
    pub fn violated(&self) -> Vec<&'static str> {
        let bad = self
            .findings
            .iter()
            .filter(|(.., it)| !it.violations.is_empty());
        bad.map(|(number, ..)| *number).collect()
    }

    /// How many parts of the history were not judged.
    pub fn gave_up(&self) -> usize {
        self.findings.iter().map(|(.., it)| it.gave_up.len()).sum()
    }

    /// Panics with the whole report if anything is violated.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.violated().is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, promise, findings) in &self.findings {
            let violations = &findings.violations;
            if !violations.is_empty() {
                let count = violations.len();
                writeln!(f, "\n{number} is violated {count} times: {promise}")?;
            }
            for violation in violations.iter().take(SHOWN) {
                writeln!(f, "  {}", violation.what)?;
                for line in &violation.excerpt {
                    writeln!(f, "    {line}")?;
                }
            }
            for what in findings.gave_up.iter().take(SHOWN) {
                writeln!(f, "{number} was not judged: {what}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            node,
            begun,
            ..
        } = self;
        write!(f, "[{begun}..")?;
        if let Some(ended) = self.ended {
            write!(f, "{ended}")?;
        }
        write!(
            f,
            "] client {client}, node {node}: {} -> {}",
            self.call, self.outcome
        )
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set {
                request_id,
                changes,
            } => write!(f, "{} (request {request_id})", Shown(changes)),
            Self::Check {
                namespace,
                tokens,
                purpose,
            } => write!(f, "check {namespace}/{}/{purpose}", tokens.join("+")),
            Self::Preferences { namespace, tokens } => {
                write!(f, "preferences {namespace}/{}", tokens.join("+"))
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done {
                revision,
                event_id,
                changed,
            } => {
                let how = if *changed { "done" } else { "stood already" };
                write!(f, "{how}: event {event_id} at revision {revision}")
            }
            Self::Decided { allow, revision } => {
                let what = if *allow { "ALLOW" } else { "DENY" };
                write!(f, "{what} at revision {revision}")
            }
            Self::Stands { records, revision } => {
                let changes = records.iter().map(|(key, (change, _))| (key, change));
                let changes = changes.map(|(key, change)| (key.clone(), *change));
                let changes = changes.collect::<Changes>();
                write!(f, "{} at revision {revision}", Shown(&changes))
            }
            Self::Failed => f.write_str("failed"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = Shown(&self.changes);
        write!(
            f,
            "revision {}, event {}: {what}",
            self.revision, self.event_id
        )?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// Changes, for people.
struct Shown<'a>(&'a Changes);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("nothing")?;
        }
        for (at, (key, change)) in self.0.iter().enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            let change = match change {
                Change::OptOut => "opt-out",
                Change::OptIn => "opt-in",
            };
            let (namespace, token) = key.subject();
            write!(f, "{separator}{change} {namespace}/{token}/{}", key.purpose)?;
        }
        Ok(())
    }
}
