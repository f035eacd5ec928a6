//! The secrets of a node: read, or made on its first start, and turned into keys.

use crate::{
    api::{decision_id::DecisionKey, link::LinkKey},
    clock::Entropy,
    config::{Config, ConfigError, SecretSource},
    domain::{SealingKey, TokenKey},
};

/// The keys that come from the secrets.
pub(super) struct Keys {
    pub(super) token: TokenKey,
    pub(super) sealing: SealingKey,
    pub(super) decision: DecisionKey,
    pub(super) link: LinkKey,
}

impl Keys {
    /// Gets the secrets, and makes those that a node makes when its data folder is `fresh`.
    pub(super) fn get(
        config: &Config,
        entropy: &dyn Entropy,
        fresh: bool,
    ) -> Result<Self, ConfigError> {
        for source in [&config.token_key, &config.sealing_key] {
            refuse_to_forget(source, fresh)?;
        }
        let token = config.token_key.resolve(entropy)?;
        let sealing = config.sealing_key.resolve(entropy)?;
        let token_key = TokenKey::new(*token.expose());
        Ok(Self {
            // A retry may come through another node, whose sealing key is its own.
            sealing: SealingKey::new(sealing.expose()).known_by(&token_key),
            token: token_key,
            decision: DecisionKey::derive(token.expose()),
            link: LinkKey::derive(token.expose()),
        })
    }
}

/// A node that has data had its keys too. New ones in their place would fit nothing that it holds.
fn refuse_to_forget(source: &SecretSource, fresh: bool) -> Result<(), ConfigError> {
    match source {
        SecretSource::Made(path) if !fresh && !path.exists() => Err(ConfigError::lost_key(path)),
        SecretSource::Made(_) | SecretSource::File(_) | SecretSource::Given(_) => Ok(()),
    }
}
