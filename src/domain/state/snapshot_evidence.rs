//! The keys of evidence as chunks of a snapshot, and back.

use super::State;
use super::evidence_keys::Kept;
use super::restore::{Fault, Restore};
use super::snapshot::Batches;
use super::snapshot_anomalies::place;
use crate::domain::encoding::{
    token, token_out, wrapped_key, wrapped_key_out, wrapping_id, wrapping_id_out,
};
use crate::proto::persisted::{KeptKey, Rotation, UsageSection, state_chunk::Section};

/// Bytes of a token.
const TOKEN_BYTES: usize = 18;

/// About how many bytes a key takes with its frame.
const KEY_BYTES: u64 = 160;

impl State {
    /// Keys, and what they were wrapped under; nothing where there is none.
    pub(super) fn evidence_sections(&self) -> impl Iterator<Item = Section> + Send + use<> {
        let keys = self
            .evidence
            .clone()
            .into_kept()
            .map(|kept| kept_out(&kept));
        let keys = Batches::new(keys, prost::Message::encoded_len);
        let keys = keys.map(|evidence_keys| UsageSection {
            evidence_keys,
            ..UsageSection::default()
        });
        let rotations: Vec<_> = self.evidence.rotated().collect();
        let rotations = rotations
            .into_iter()
            .map(|(node_id, since)| Rotation { node_id, since });
        let rotations = Batches::new(rotations, prost::Message::encoded_len);
        let rotations = rotations.map(|rotations| UsageSection {
            rotations,
            ..UsageSection::default()
        });
        let retired: Vec<_> = self.evidence.retired().map(wrapping_id_out).collect();
        let (erased_at, stale_evidence_keys, stray_evidence) = self.evidence.erasures();
        let any = stale_evidence_keys > 0 || stray_evidence || !retired.is_empty();
        let rest = any.then(|| UsageSection {
            retired_wrapping_keys: retired,
            erased_at,
            stale_evidence_keys,
            stray_evidence,
            ..UsageSection::default()
        });
        keys.chain(rotations).chain(rest).map(Section::Usage)
    }

    /// About how many bytes of a snapshot they take.
    pub(super) fn evidence_bytes(&self) -> u64 {
        self.evidence.len().saturating_mul(KEY_BYTES)
    }
}

impl Restore {
    pub(super) fn evidence(&mut self, section: &UsageSection) -> Result<(), Fault> {
        for message in &section.evidence_keys {
            let kept = kept(message)?;
            let fits = self.namespaces.name(kept.namespace).is_some()
                && kept.revision <= self.state.revision;
            if !fits || !self.state.evidence.keep(kept) {
                return Err(Fault::Damaged("a key of evidence that does not fit"));
            }
        }
        let evidence = &mut self.state.evidence;
        for message in &section.rotations {
            if !evidence.restore_rotated(message.node_id, message.since) {
                return Err(Fault::Damaged("the rotations are out of order"));
            }
        }
        for id in &section.retired_wrapping_keys {
            if !evidence.restore_retired(wrapping_id(id)?) {
                return Err(Fault::Damaged("a retired wrapping key that does not fit"));
            }
        }
        evidence.restore_erasures(
            section.erased_at,
            section.stale_evidence_keys,
            section.stray_evidence,
        );
        Ok(())
    }
}

fn kept_out(kept: &Kept) -> KeptKey {
    let tokens: Vec<u8> = kept.tokens.iter().flat_map(token_out).collect();
    KeptKey {
        revision: kept.revision,
        key: Some(wrapped_key_out(&kept.key)),
        namespace: u32::from(kept.namespace.0),
        tokens: tokens.into(),
    }
}

fn kept(message: &KeptKey) -> Result<Kept, Fault> {
    let (tokens, rest) = message.tokens.as_chunks::<TOKEN_BYTES>();
    if !rest.is_empty() {
        return Err(Fault::Damaged("the tokens of a key of evidence"));
    }
    let tokens: Result<Box<[_]>, _> = tokens.iter().map(|bytes| token(bytes)).collect();
    Ok(Kept {
        revision: message.revision,
        namespace: place(message.namespace)?,
        tokens: tokens?,
        key: wrapped_key(message.key.as_ref())?,
    })
}
