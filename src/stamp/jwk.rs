//! The public keys of a cluster, and their form as a JWK set (RFC 7517, RFC 8037).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    claims::Claims,
    error::{KeySetError, StampError},
    jws::{self, ALGORITHM, Parts},
};
use crate::limits;

const KEY_TYPE: &str = "OKP";
const CURVE: &str = "Ed25519";
const USE: &str = "sig";

/// A public key, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    kid: String,
}

impl PublicKey {
    pub(super) fn of(key: VerifyingKey) -> Self {
        let kid = thumbprint(&URL_SAFE_NO_PAD.encode(key.as_bytes()));
        Self { key, kid }
    }

    /// The Ed25519 public key of these bytes; `None` where they are none, or one that takes forged signatures.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        (!key.is_weak()).then(|| Self::of(key))
    }

    /// The key itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Its id: the JWK thumbprint (RFC 7638), base64url.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn verifying(&self) -> &VerifyingKey {
        &self.key
    }
}

/// RFC 7638, with the members that RFC 8037 requires, in their order.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"{CURVE}","kty":"{KEY_TYPE}","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

/// The keys that a cluster's stamps are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    cluster_id: String,
    keys: Vec<PublicKey>,
}

impl KeySet {
    /// The keys of a cluster, each once.
    pub fn new(cluster_id: &[u8; 16], keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let mut set = Self {
            cluster_id: hex::encode(cluster_id),
            keys: Vec::new(),
        };
        for key in keys {
            set.add(key);
        }
        set
    }

    fn add(&mut self, key: PublicKey) {
        if self.key(&key.kid).is_none() {
            self.keys.push(key);
        }
    }

    /// The cluster's id, as in the stamps' `iss`.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The key with this id.
    pub fn key(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The key that a stamp names, where the set has it. Whether it signed the stamp only [`KeySet::verify`] tells.
    pub fn named_by(&self, stamp: &str) -> Option<&PublicKey> {
        self.key(&Parts::of(stamp).ok()?.kid)
    }

    /// What a stamp says, once it is certain that a key of this set signed it for this cluster and that its time is not
    /// over.
    ///
    /// # Errors
    /// [`StampError`]; deny on each.
    pub fn verify(&self, stamp: &str, now: u64) -> Result<Claims, StampError> {
        let parts = Parts::of(stamp)?;
        let key = self.key(&parts.kid).ok_or(StampError::UnknownKey)?;
        let claims = jws::claims(parts.payload(key)?)?;
        if claims.cluster_id != self.cluster_id {
            return Err(StampError::OtherCluster);
        }
        claims.check_time(now)?;
        Ok(claims)
    }

    /// The set as JSON. Besides `keys` it has `issuer`, the cluster's id, which other readers of JWK sets pass over.
    pub fn to_json(&self) -> String {
        let keys = self.keys.iter().map(|key| {
            serde_json::json!({
                "kty": KEY_TYPE,
                "crv": CURVE,
                "x": URL_SAFE_NO_PAD.encode(key.as_bytes()),
                "kid": key.kid,
                "use": USE,
                "alg": ALGORITHM,
            })
        });
        let keys: Vec<_> = keys.collect();
        serde_json::json!({ "issuer": self.cluster_id, "keys": keys }).to_string()
    }

    /// Reads a set. Keys of other kinds are passed over, as RFC 7517 demands.
    ///
    /// # Errors
    /// [`KeySetError`] where it is none, names no cluster, has a key that cannot be one, or is too large.
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > limits::JWK_SET_BYTES {
            return Err(KeySetError("longer than 1 MiB"));
        }
        let read: Set =
            serde_json::from_slice(json).map_err(|_| KeySetError("not a JWK set of a cluster"))?;
        let mut cluster_id = [0; 16];
        hex::decode_to_slice(&read.issuer, &mut cluster_id)
            .map_err(|_| KeySetError("`issuer` is no id of a cluster"))?;
        if read.keys.len() > limits::STAMP_KEYS {
            return Err(KeySetError("more than 256 keys"));
        }
        let mut set = Self::new(&cluster_id, []);
        for key in &read.keys {
            if let Some(key) = key.read()? {
                set.add(key);
            }
        }
        Ok(set)
    }
}

#[derive(Deserialize)]
struct Set {
    issuer: String,
    keys: Vec<Jwk>,
}

/// A key of any kind, as far as it is looked at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
}

impl Jwk {
    /// The key, or `None` for one of another kind or for another use.
    fn read(&self) -> Result<Option<PublicKey>, KeySetError> {
        let absent_or = |member: &Option<String>, wanted: &str| {
            member.as_deref().is_none_or(|found| found == wanted)
        };
        let ours = self.kty == KEY_TYPE
            && self.crv.as_deref() == Some(CURVE)
            && absent_or(&self.r#use, USE)
            && absent_or(&self.alg, ALGORITHM);
        if !ours {
            return Ok(None);
        }
        let key = self
            .x
            .as_ref()
            .and_then(|x| URL_SAFE_NO_PAD.decode(x).ok())
            .and_then(|bytes| PublicKey::from_bytes(&bytes.try_into().ok()?))
            .ok_or(KeySetError("a key is no Ed25519 public key"))?;
        if !absent_or(&self.kid, &key.kid) {
            return Err(KeySetError("a key's `kid` is not its thumbprint"));
        }
        Ok(Some(key))
    }
}
