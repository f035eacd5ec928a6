//! What each command needs: the permissions, and how far they must reach.

use std::collections::HashSet;

use super::{
    Admissible, Widening,
    need::{Need, Needs, Touches},
    permission::Permission,
};
use crate::domain::{
    Body, ChangeKind, ImportChunk, ImportRow, Namespace, ProposedChange, PurposeName, Revision,
    SchemaFloor,
};

impl Admissible for Body {
    fn needs(&self) -> Needs<'_> {
        match self {
            Self::SetPreference(set) => {
                let (namespace, opt_out) = (&set.namespace, &set.opt_out);
                let opt_in = Needs::for_each(Permission::OptIn, namespace, &set.opt_in);
                match (opt_out.is_empty(), set.opt_in.is_empty()) {
                    (true, false) => opt_in,
                    (_, true) => Needs::for_each(Permission::OptOut, namespace, opt_out),
                    (false, false) => Needs::for_each(Permission::OptOut, namespace, opt_out)
                        .and(opt_in.iter().copied()),
                }
            }
            // What a signal opts out of is the namespace's setting, which may change until then.
            Self::ReportSignal(report) => Needs::one(Need::within(
                Permission::OptOut,
                &report.namespace,
                Touches::All,
            )),
            Self::ImportChunk(chunk) => {
                Needs::for_each(Permission::Import, &chunk.namespace, purposes_of(chunk))
            }
            Self::PutPurpose(put) => Needs::one(registry(Touches::One(&put.purpose.name))),
            Self::AddNamespace(add) => {
                let need = Need::within(Permission::Registry, &add.namespace, Touches::Any);
                Needs::one(need)
            }
            Self::ConfigureNamespace(settings) => Needs::one(configure(&settings.namespace)),
            Self::SetSchemaFloor(set) => Needs::one(floor(&set.floor)),
            // Evidence is of an opt-in as a whole, whatever its purposes.
            Self::EraseEvidence(erase) => {
                let need = Need::within(Permission::Erase, &erase.namespace, Touches::All);
                Needs::one(need)
            }
            Self::ConfigureAnomalies(_) => Needs::one(Need::everywhere(Permission::Registry)),
            Self::Propose(propose) => match &propose.change {
                ProposedChange::Override(terms) => {
                    Needs::for_each(Permission::Override, &terms.namespace, &terms.purposes)
                }
                ProposedChange::Purpose(purpose) => {
                    Needs::one(registry(Touches::One(&purpose.name)))
                }
                ProposedChange::SchemaFloor(proposed) => Needs::one(floor(proposed)),
                ProposedChange::Settings(settings) => Needs::one(configure(&settings.namespace)),
            },
            // The call names what was proposed by its id alone.
            Self::Approve(approve) => Needs::one(Need::everywhere(permission(approve.kind))),
            // To withdraw or revoke never widens anything: whoever may propose may do it.
            Self::Withdraw(withdraw) => Needs::one(Need::anywhere(permission(withdraw.kind))),
            // The cluster's own; no call asks for them.
            Self::Create(_)
            | Self::AddStampKey(_)
            | Self::RetireStampKeys(_)
            | Self::AddJournalKey(_)
            | Self::RetireJournalKey(_)
            | Self::RecordMembership(_)
            | Self::ReportUsage(_)
            | Self::ReportViolations(_)
            | Self::RewrapEvidence(_)
            | Self::RotateWrappingKey(_)
            | Self::RaiseFeatureLevel(_) => Needs::one(Need::everywhere(Permission::Cluster)),
        }
    }

    fn schema_version(&self) -> u32 {
        match self {
            Self::SetPreference(set) => set.schema_version,
            Self::ReportSignal(report) => report.schema_version,
            Self::ImportChunk(chunk) => chunk.schema_version,
            _ => 0,
        }
    }

    fn min_revision(&self) -> Revision {
        match self {
            Self::SetPreference(set) => set.min_revision,
            _ => 0,
        }
    }

    fn widens(&self) -> Option<Widening> {
        match self {
            Self::Propose(propose) => Some(widening(propose.change.kind())),
            Self::Approve(approve) => Some(widening(approve.kind)),
            // The state refuses those among these that would widen ALLOW.
            Self::Withdraw(_)
            | Self::SetPreference(_)
            | Self::ReportSignal(_)
            | Self::ImportChunk(_)
            | Self::PutPurpose(_)
            | Self::AddNamespace(_)
            | Self::ConfigureNamespace(_)
            | Self::SetSchemaFloor(_)
            | Self::ConfigureAnomalies(_)
            | Self::Create(_)
            | Self::AddStampKey(_)
            | Self::RetireStampKeys(_)
            | Self::AddJournalKey(_)
            | Self::RetireJournalKey(_)
            | Self::RecordMembership(_)
            | Self::ReportUsage(_)
            | Self::ReportViolations(_)
            | Self::EraseEvidence(_)
            | Self::RewrapEvidence(_)
            | Self::RotateWrappingKey(_)
            | Self::RaiseFeatureLevel(_) => None,
        }
    }
}

/// What changing the registry needs. A purpose is every namespace's.
fn registry(purpose: Touches<&PurposeName>) -> Need<'_> {
    Need {
        purpose,
        ..Need::everywhere(Permission::Registry)
    }
}

/// What changing a schema floor needs.
pub fn floor(floor: &SchemaFloor) -> Need<'_> {
    registry(floor.purpose.as_ref().map_or(Touches::All, Touches::One))
}

/// What configuring a namespace needs: what the settings do not name any more is touched too.
fn configure(namespace: &Namespace) -> Need<'_> {
    Need::within(Permission::Registry, namespace, Touches::All)
}

/// The permission that a change which takes two principals belongs to.
fn permission(kind: ChangeKind) -> Permission {
    match kind {
        ChangeKind::Override => Permission::Override,
        ChangeKind::Registry => Permission::Registry,
    }
}

/// Which step a proposal or an approval is.
fn widening(kind: ChangeKind) -> Widening {
    match kind {
        ChangeKind::Override => Widening::Override,
        ChangeKind::Registry => Widening::Registry,
    }
}

/// The purposes of an import's rows, each once: many rows share a few.
fn purposes_of(chunk: &ImportChunk) -> HashSet<&PurposeName> {
    let rows = chunk.rows.iter();
    rows.flat_map(|row| match row {
        ImportRow::OptOut { purposes, .. } => &purposes[..],
        ImportRow::Refused => &[],
    })
    .collect()
}
