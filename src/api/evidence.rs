//! Sealing the evidence of an opt-in, so that a retry through another node is still known as the same request.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::decision_id::keyed;
use crate::{
    clock::Entropy,
    domain::{Evidence, Refusal, SEALING_RANDOM_BYTES, SealedEvidence, SealingKey},
};

/// What sets this use of the token key apart from every other.
const PURPOSE_OF_KEY: &[u8] = b"refrain evidence digest 1";

/// Seals evidence under this node's own key, and tells equal evidence by a digest under the cluster's.
///
/// A request id holds for one content. Two nodes with sealing keys of their own must therefore give the same evidence the
/// same digest, or a retry through another node would look like another request.
pub struct EvidenceSealer {
    sealing: SealingKey,
    digest: Zeroizing<[u8; 32]>,
}

impl EvidenceSealer {
    /// Takes this node's sealing secret and the cluster's token key.
    pub fn new(sealing: &[u8; 32], token_key: &[u8; 32]) -> Self {
        let mut mac = keyed(token_key);
        mac.update(PURPOSE_OF_KEY);
        Self {
            sealing: SealingKey::new(sealing),
            digest: Zeroizing::new(mac.finalize().into_bytes().into()),
        }
    }

    /// Seals evidence.
    ///
    /// # Errors
    /// `EVIDENCE_REQUIRED`, `EVIDENCE_INVALID`.
    pub fn seal(
        &self,
        evidence: &Evidence,
        entropy: &dyn Entropy,
    ) -> Result<SealedEvidence, Refusal> {
        let mut random = Zeroizing::new([0; SEALING_RANDOM_BYTES]);
        entropy.fill(&mut *random);
        let sealed = self.sealing.seal(evidence, &random)?;
        let mut mac: Hmac<Sha256> = keyed(&self.digest);
        for part in [
            &evidence.statement,
            &evidence.ip_address,
            &evidence.user_agent,
        ] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        Ok(SealedEvidence { digest, ..sealed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn two_nodes_know_the_same_evidence() {
        let evidence = Evidence {
            statement: "ticked the box".to_owned(),
            ip_address: String::new(),
            user_agent: String::new(),
        };
        let seal = |node: u8, cluster: u8, evidence: &Evidence| {
            EvidenceSealer::new(&[node; 32], &[cluster; 32])
                .seal(evidence, &SystemEntropy)
                .expect("sealed")
        };
        let (one, two) = (seal(1, 9, &evidence), seal(2, 9, &evidence));
        assert_ne!(one.bytes, two.bytes);
        assert_eq!(one.digest, two.digest);
        assert_ne!(one.digest, seal(1, 8, &evidence).digest);
        let moved = Evidence {
            statement: "ticked the".to_owned(),
            ip_address: " box".to_owned(),
            user_agent: String::new(),
        };
        assert_ne!(one.digest, seal(1, 9, &moved).digest);
        assert_eq!(SealingKey::new(&[1; 32]).unseal(&one.bytes), Ok(evidence));
    }
}
