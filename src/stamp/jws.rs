//! The compact form of a stamp: signed by a node, taken apart by whoever verifies it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _};
use serde::{Deserialize, Serialize};

use super::{claims::Claims, error::StampError, jwk::PublicKey};
use crate::limits;

/// The one algorithm: RFC 8037.
pub(super) const ALGORITHM: &str = "EdDSA";

/// What sets a stamp apart from everything else that is signed.
const TYPE: &str = "refrain-stamp+jws";

/// The header: these three and nothing else.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// The key that a node signs its stamps with.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of 32 secret bytes from a good random source.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::of(self.0.verifying_key())
    }

    /// Makes a stamp.
    ///
    /// # Errors
    /// [`StampError::Malformed`] where the claims break a rule, or do not fit into a stamp.
    pub fn sign(&self, claims: &Claims) -> Result<String, StampError> {
        claims.check()?;
        let public = self.public();
        let header = Header {
            alg: ALGORITHM,
            typ: TYPE,
            kid: public.kid(),
        };
        let unwritable = |_| StampError::Malformed("it cannot be written as JSON");
        let header = serde_json::to_vec(&header).map_err(unwritable)?;
        let claims = serde_json::to_vec(claims).map_err(unwritable)?;
        let stamp = self.compact(&header, &claims);
        if stamp.len() > limits::STAMP_BYTES {
            return Err(StampError::Malformed(TOO_LONG));
        }
        Ok(stamp)
    }

    /// RFC 7515, section 7.1.
    pub(super) fn compact(&self, header: &[u8], payload: &[u8]) -> String {
        let mut text = URL_SAFE_NO_PAD.encode(header);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature = self.0.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut text);
        text
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(secret)")
    }
}

const TOO_LONG: &str = "it is longer than 8,192 bytes";

/// A stamp in its parts; nothing of it is to be believed before its signature is verified.
pub(super) struct Parts<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Signature,
    pub(super) kid: String,
}

impl<'a> Parts<'a> {
    /// Takes a stamp apart.
    pub(super) fn of(stamp: &'a str) -> Result<Self, StampError> {
        if stamp.len() > limits::STAMP_BYTES {
            return Err(StampError::Malformed(TOO_LONG));
        }
        let three = StampError::Malformed("it does not have three parts");
        let (signed, signature) = stamp.rsplit_once('.').ok_or(three)?;
        let (header, payload) = signed.split_once('.').ok_or(three)?;
        // A fourth part would hold a dot, which the decoder refuses as it does padding.
        let decoded = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| StampError::Malformed("a part is not base64url without padding"))
        };
        let header = decoded(header)?;
        let payload = decoded(payload)?;
        let signature = decoded(signature)?;
        let signature = Signature::from_slice(&signature)
            .map_err(|_| StampError::Malformed("its signature does not have 64 bytes"))?;
        Ok(Self {
            signed,
            payload,
            signature,
            kid: key_id(&header)?,
        })
    }

    /// The payload, once it is certain that this key has signed it.
    pub(super) fn payload(&self, key: &PublicKey) -> Result<&[u8], StampError> {
        key.verifying()
            .verify_strict(self.signed.as_bytes(), &self.signature)
            .map_err(|_| StampError::BadSignature)?;
        Ok(&self.payload)
    }

    /// What it claims, whoever has signed it.
    pub(super) fn unverified(&self) -> Result<Claims, StampError> {
        claims(&self.payload)
    }
}

/// The claims of a payload.
pub(super) fn claims(payload: &[u8]) -> Result<Claims, StampError> {
    // A list in the order of the fields would pass for an object.
    let claims = (payload.first() == Some(&b'{'))
        .then(|| serde_json::from_slice::<Claims>(payload).ok())
        .flatten()
        .ok_or(StampError::Malformed("its claims are not those of a stamp"))?;
    claims.check()?;
    Ok(claims)
}

/// The key's id from a header that is written exactly as ours: no other algorithm, no `crit`, no `jwk`, nothing twice.
fn key_id(header: &[u8]) -> Result<String, StampError> {
    let other = StampError::Malformed("its header is not that of a stamp");
    let parsed: Header<'_> = serde_json::from_slice(header).map_err(|_| other)?;
    let ours = Header {
        alg: ALGORITHM,
        typ: TYPE,
        kid: parsed.kid,
    };
    let ours = serde_json::to_vec(&ours).map_err(|_| other)?;
    if ours != header {
        return Err(other);
    }
    Ok(parsed.kid.to_owned())
}
