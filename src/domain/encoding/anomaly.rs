//! What is out of the ordinary, as it lies in commands, events and snapshots.

use super::DecodeError;
use super::parts::{subject, subject_out};
use crate::domain::anomaly::{Anomaly, AnomalyKind, AnomalySettings};
use crate::proto::persisted;

pub(super) fn anomaly_out(anomaly: &Anomaly) -> persisted::Anomaly {
    persisted::Anomaly {
        kind: anomaly_kind_out(anomaly.kind).into(),
        subject: anomaly.subject.as_ref().map(subject_out),
        count: anomaly.count,
        expected: anomaly.expected,
        window_s: anomaly.window_s,
    }
}

pub(super) fn anomaly(message: &persisted::Anomaly) -> Result<Anomaly, DecodeError> {
    Ok(Anomaly {
        kind: anomaly_kind(message.kind)?,
        subject: message.subject.as_ref().map(subject).transpose()?,
        count: message.count,
        expected: message.expected,
        window_s: message.window_s,
    })
}

pub(crate) fn anomaly_settings_out(settings: &AnomalySettings) -> persisted::AnomalySettings {
    let AnomalySettings {
        subject_window_s,
        subject_changes,
        subject_turns,
        caller_window_s,
        caller_changes,
        repeat_window_s,
        repeats,
        import_factor,
        import_rows,
    } = *settings;
    persisted::AnomalySettings {
        subject_window_s,
        subject_changes,
        subject_turns,
        caller_window_s,
        caller_changes,
        repeat_window_s,
        repeats,
        import_factor,
        import_rows,
    }
}

pub(crate) fn anomaly_settings(message: &persisted::AnomalySettings) -> AnomalySettings {
    let persisted::AnomalySettings {
        subject_window_s,
        subject_changes,
        subject_turns,
        caller_window_s,
        caller_changes,
        repeat_window_s,
        repeats,
        import_factor,
        import_rows,
    } = *message;
    AnomalySettings {
        subject_window_s,
        subject_changes,
        subject_turns,
        caller_window_s,
        caller_changes,
        repeat_window_s,
        repeats,
        import_factor,
        import_rows,
    }
}

pub(crate) fn anomaly_kind_out(kind: AnomalyKind) -> persisted::AnomalyKind {
    match kind {
        AnomalyKind::Flapping => persisted::AnomalyKind::Flapping,
        AnomalyKind::ManyChanges => persisted::AnomalyKind::ManyChanges,
        AnomalyKind::Burst => persisted::AnomalyKind::Burst,
        AnomalyKind::Repeated => persisted::AnomalyKind::Repeated,
        AnomalyKind::ImportSize => persisted::AnomalyKind::ImportSize,
    }
}

pub(crate) fn anomaly_kind(number: i32) -> Result<AnomalyKind, DecodeError> {
    match persisted::AnomalyKind::try_from(number) {
        Ok(persisted::AnomalyKind::Flapping) => Ok(AnomalyKind::Flapping),
        Ok(persisted::AnomalyKind::ManyChanges) => Ok(AnomalyKind::ManyChanges),
        Ok(persisted::AnomalyKind::Burst) => Ok(AnomalyKind::Burst),
        Ok(persisted::AnomalyKind::Repeated) => Ok(AnomalyKind::Repeated),
        Ok(persisted::AnomalyKind::ImportSize) => Ok(AnomalyKind::ImportSize),
        Ok(persisted::AnomalyKind::Unspecified) | Err(_) => {
            Err(DecodeError::Damaged("a kind of anomaly"))
        }
    }
}
