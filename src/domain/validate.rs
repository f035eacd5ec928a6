//! The checks of what callers ask for that need no state: made at the edge, and again when it is applied.

use super::command::{
    Body, Create, FEATURE_LEVEL, ImportChunk, ImportRow, ReportSignal, SetPreference, Signal,
};
use super::names::PurposeName;
use super::purpose::Purpose;
use super::refusal::Refusal;
use super::token::SubjectToken;
use super::usage::ReportUsage;
use crate::limits;

impl Body {
    /// All checks that need no state.
    ///
    /// # Errors
    /// The refusal that says what is wrong.
    pub fn validate(&self) -> Result<(), Refusal> {
        match self {
            Self::Create(create) => create.validate(),
            Self::SetPreference(set) => set.validate(),
            Self::ReportSignal(report) => report.validate(),
            Self::ImportChunk(chunk) => chunk.validate(),
            Self::PutPurpose(put) => put.purpose.validate(),
            Self::ConfigureNamespace(configure) => check_signal_purposes(&configure.gpc_purposes),
            Self::SetSchemaFloor(set) => set.floor.validate(),
            Self::Propose(propose) => propose.change.validate(),
            Self::ConfigureAnomalies(configure) => configure.validate(),
            Self::ReportUsage(report) => report.validate(),
            Self::ReportViolations(report) => report.validate(),
            Self::EraseEvidence(erase) => erase.validate(),
            Self::RewrapEvidence(rewrap) => rewrap.validate(),
            Self::RotateWrappingKey(rotate) => rotate.validate(),
            Self::AddNamespace(_)
            | Self::Approve(_)
            | Self::Withdraw(_)
            | Self::AddStampKey(_)
            | Self::RetireStampKeys(_)
            | Self::AddJournalKey(_)
            | Self::RetireJournalKey(_)
            | Self::RecordMembership(_) => Ok(()),
            Self::RaiseFeatureLevel(raise) => check_level(raise.level),
        }
    }
}

impl Create {
    fn validate(&self) -> Result<(), Refusal> {
        check_level(self.feature_level)?;
        check_count(
            "purposes",
            self.purposes.len(),
            limits::PURPOSES_AT_CREATION,
        )?;
        check_count(
            "namespaces",
            self.namespaces.len(),
            limits::NAMESPACES_AT_CREATION,
        )?;
        self.purposes.iter().try_for_each(Purpose::validate)
    }
}

impl SetPreference {
    fn validate(&self) -> Result<(), Refusal> {
        check_tokens(&self.tokens)?;
        let purposes: Vec<PurposeName> = self.opt_out.iter().chain(&self.opt_in).cloned().collect();
        check_purposes(&purposes)?;
        let why = match self.signal {
            Signal::Import => Some("only an import brings the signal `import`"),
            Signal::Gpc => {
                Some("`gpc` is reported as a signal, and kept apart from the person's word")
            }
            Signal::User | Signal::ListUnsubscribe | Signal::Operator | Signal::Probe => None,
        };
        if let Some(why) = why {
            return Err(Refusal::SignalInvalid { why });
        }
        match &self.evidence {
            None if self.opt_in.is_empty() => Ok(()),
            Some(_) if self.opt_in.is_empty() => Err(Refusal::EvidenceInvalid {
                why: "an opt-out takes none",
            }),
            _ if !self.signal.can_opt_in() => Err(Refusal::SignalInvalid {
                why: "only `user`, `operator` and `probe` can opt in",
            }),
            None => Err(Refusal::EvidenceRequired),
            Some(sealed) => {
                if sealed.bytes.is_empty() || sealed.bytes.len() > limits::SEALED_EVIDENCE_BYTES {
                    return Err(Refusal::EvidenceInvalid {
                        why: "sealed, it has a length that no evidence has",
                    });
                }
                Ok(())
            }
        }
    }
}

impl ReportSignal {
    fn validate(&self) -> Result<(), Refusal> {
        check_tokens(&self.tokens)?;
        if self.signal == Signal::Gpc {
            Ok(())
        } else {
            Err(Refusal::SignalInvalid {
                why: "only `gpc` is reported so; set other changes by a call of their own",
            })
        }
    }
}

/// Checks what a signal is to opt out of.
pub(super) fn check_signal_purposes(purposes: &[PurposeName]) -> Result<(), Refusal> {
    check_purposes(purposes)?;
    if purposes.len() > limits::SIGNAL_PURPOSES {
        return Err(Refusal::TooManyPurposes);
    }
    Ok(())
}

impl ReportUsage {
    fn validate(&self) -> Result<(), Refusal> {
        if self.services.len() > limits::USAGE_ENTRIES || self.lifted.len() > limits::USAGE_ENTRIES
        {
            return Err(Refusal::CommandTooLarge);
        }
        Ok(())
    }
}

impl ImportChunk {
    fn validate(&self) -> Result<(), Refusal> {
        if self.rows.is_empty() {
            return Err(Refusal::ImportRowsRequired);
        }
        let last = self.first_row.checked_add(self.rows.len() as u64);
        if self.rows.len() > limits::IMPORT_CHUNK_ROWS || last.is_none() {
            return Err(Refusal::ImportChunkTooLarge);
        }
        Ok(())
    }
}

impl ImportRow {
    /// The checks of one row that need no state. Not a part of the chunk's: a bad row does not stop the others.
    ///
    /// # Errors
    /// The refusal that says what is wrong.
    pub fn validate(&self) -> Result<(), Refusal> {
        match self {
            Self::OptOut { tokens, purposes } => {
                check_tokens(tokens)?;
                check_purposes(purposes)
            }
            Self::Refused => Ok(()),
        }
    }
}

impl Signal {
    /// Whether an opt-in can arrive so.
    pub fn can_opt_in(self) -> bool {
        match self {
            Self::User | Self::Operator | Self::Probe => true,
            Self::Gpc | Self::ListUnsubscribe | Self::Import => false,
        }
    }
}

/// Checks a subject: 1 to 16 tokens, no two alike. A token names one subject whatever type is written beside it.
///
/// # Errors
/// `IDENTIFIERS_REQUIRED`, `TOO_MANY_IDENTIFIERS`, `DUPLICATE_IDENTIFIER`.
pub fn check_tokens(tokens: &[SubjectToken]) -> Result<(), Refusal> {
    if tokens.is_empty() {
        return Err(Refusal::IdentifiersRequired);
    }
    if tokens.len() > limits::IDENTIFIERS {
        return Err(Refusal::TooManyIdentifiers);
    }
    if repeats(tokens, |token| token.token) {
        return Err(Refusal::DuplicateIdentifier);
    }
    Ok(())
}

/// Checks a list of purposes: 1 to 64, no two alike.
///
/// # Errors
/// `PURPOSES_REQUIRED`, `TOO_MANY_PURPOSES`, `DUPLICATE_PURPOSE`.
pub fn check_purposes(purposes: &[PurposeName]) -> Result<(), Refusal> {
    if purposes.is_empty() {
        return Err(Refusal::PurposesRequired);
    }
    if purposes.len() > limits::PURPOSES_PER_REQUEST {
        return Err(Refusal::TooManyPurposes);
    }
    if repeats(purposes, PurposeName::as_str) {
        return Err(Refusal::DuplicatePurpose);
    }
    Ok(())
}

/// Whether two items have the same key. The lists are short: comparing all pairs beats any table.
fn repeats<'a, T, K: PartialEq>(items: &'a [T], key: impl Fn(&'a T) -> K) -> bool {
    items
        .iter()
        .enumerate()
        .any(|(at, item)| items[..at].iter().any(|other| key(other) == key(item)))
}

fn check_level(level: u32) -> Result<(), Refusal> {
    if (1..=FEATURE_LEVEL).contains(&level) {
        Ok(())
    } else {
        Err(Refusal::FeatureLevelUnknown { level })
    }
}

fn check_count(what: &'static str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count <= limit {
        Ok(())
    } else {
        Err(Refusal::RegistryFull { what, limit })
    }
}
