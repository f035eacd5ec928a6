//! Who may call: the principals of the configuration, known by the hashes of their tokens.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    net::SocketAddr,
};

use sha2::{Digest as _, Sha256};

use super::{
    bearer::Bearer,
    caller::{Caller, Standing},
    need::Grant,
    permission::{Permission, Permissions},
};
use crate::{
    domain::{Credential, Principal, Refusal},
    limits,
};

/// The SHA-256 of a token: what is configured, and all that is kept of a token. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Reads 64 hex digits.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).ok()?;
        Some(Self(hash))
    }

    /// What is told of the token to those who must tell two callers apart, on every node and for ever: nothing that it could
    /// be used by.
    fn credential(self) -> Credential {
        let digest = Sha256::new_with_prefix(b"refrain: who proposes and approves")
            .chain_update(self.0)
            .finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Credential(half)
    }

    /// As 64 hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// One principal, as it was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Principal,
    /// The hashes of its tokens: several while they are being replaced.
    pub tokens: Vec<TokenHash>,
    /// What it was given.
    pub grants: Vec<Grant>,
}

/// Why a principal cannot be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEntry {
    /// There are too many principals.
    #[error("more than {} principals", limits::PRINCIPALS)]
    TooMany,
    /// There are too many grants.
    #[error("more than {} grants", limits::GRANTS)]
    TooManyGrants,
    /// There is no token, or there are too many.
    #[error("not 1 to {} tokens", limits::PRINCIPAL_TOKENS)]
    Tokens,
    /// The name is one of Refrain's own.
    #[error("`local`, `anonymous`, `cluster` and `link` are Refrain's own names")]
    NameReserved,
    /// Another principal has the name.
    #[error("another principal has this name")]
    NameTaken,
    /// The token stands twice, here or at another principal.
    #[error("the same token stands twice")]
    TokenTaken,
}

/// It cannot be told who calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The call comes from elsewhere, and the node was not told to trust its network.
    #[error(
        "the call comes from another machine, and this node knows no principals and only takes calls over loopback"
    )]
    Elsewhere,
    /// The call carries no token, and the node knows its principals by theirs.
    #[error("the call carries no token")]
    TokenMissing,
    /// What should be a token cannot be read.
    #[error("the call's `authorization` is not one `Bearer` and a token")]
    TokenUnreadable,
    /// The token is nobody's.
    #[error("the call's token is not known here")]
    TokenUnknown,
    /// The principal's name cannot be taken.
    #[error("{0}")]
    Name(#[from] Refusal),
}

/// The principals of a node. With none, whoever calls over loopback is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principals {
    names: HashSet<Principal>,
    callers: HashMap<TokenHash, Caller>,
    /// How many hold `override`.
    overriding: usize,
}

impl Principals {
    /// Takes a principal in.
    ///
    /// # Errors
    /// [`BadEntry`]; nothing of it was taken in then.
    pub fn add(&mut self, entry: Entry) -> Result<(), BadEntry> {
        let Entry {
            name,
            tokens,
            grants,
        } = entry;
        if name.is_reserved() {
            return Err(BadEntry::NameReserved);
        }
        if self.names.contains(&name) {
            return Err(BadEntry::NameTaken);
        }
        if self.names.len() >= limits::PRINCIPALS {
            return Err(BadEntry::TooMany);
        }
        if !(1..=limits::PRINCIPAL_TOKENS).contains(&tokens.len()) {
            return Err(BadEntry::Tokens);
        }
        if grants.len() > limits::GRANTS {
            return Err(BadEntry::TooManyGrants);
        }
        let distinct: HashSet<TokenHash> = tokens.iter().copied().collect();
        if distinct.len() < tokens.len() || distinct.iter().any(|it| self.callers.contains_key(it))
        {
            return Err(BadEntry::TokenTaken);
        }
        let caller = Caller::new(name.clone(), grants, Standing::Token);
        self.overriding += usize::from(caller.holds(Permission::Override));
        self.names.insert(name);
        self.callers.extend(distinct.into_iter().map(|token| {
            let caller = caller.clone().proven_by(token.credential());
            (token, caller)
        }));
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What tells two lists of principals apart, and of either nothing but how many there are.
    pub fn fingerprint(&self) -> String {
        let lines = self.callers.iter().map(|(token, caller)| {
            let grants = caller.grants().iter().map(Grant::canonical);
            let grants = grants.collect::<Vec<_>>().join(";");
            format!("{} {} {grants}\n", caller.principal(), token.to_hex())
        });
        let lines: BTreeSet<String> = lines.collect();
        let digest = Sha256::new_with_prefix(b"refrain: principals\n")
            .chain_update(lines.into_iter().collect::<String>())
            .finalize();
        format!("{} principals, {}", self.len(), hex::encode(&digest[..8]))
    }

    /// Whether an override can be proposed at all: it takes a second principal to approve it.
    pub fn overrides_possible(&self) -> bool {
        self.overriding >= 2
    }

    /// Tells who calls. Where principals are configured, by the token alone, also over loopback. Where none is, by the
    /// address that the connection comes from: `local` over loopback; `anonymous` from elsewhere, which needs `insecure`.
    /// Both of these may do everything but override.
    ///
    /// This is the place for better proof: a client certificate will name the principal here. Nothing behind this
    /// function asks for more than the [`Caller`].
    ///
    /// # Errors
    /// [`Unauthenticated`].
    pub fn authenticate(
        &self,
        bearer: Bearer<'_>,
        remote: Option<SocketAddr>,
        insecure: bool,
    ) -> Result<Caller, Unauthenticated> {
        if self.is_empty() {
            return by_address(remote, insecure);
        }
        match bearer {
            Bearer::Missing => Err(Unauthenticated::TokenMissing),
            Bearer::Unreadable => Err(Unauthenticated::TokenUnreadable),
            Bearer::Token(token) => {
                let found = self.callers.get(&TokenHash::of(token)).cloned();
                let caller = found.ok_or(Unauthenticated::TokenUnknown)?;
                Ok(if self.overrides_possible() {
                    caller.standing(Standing::TokenOfTwo)
                } else {
                    caller
                })
            }
        }
    }
}

fn by_address(remote: Option<SocketAddr>, insecure: bool) -> Result<Caller, Unauthenticated> {
    let local = remote.is_some_and(|remote| remote.ip().to_canonical().is_loopback());
    let name = match (local, insecure) {
        (true, _) => "local",
        (false, true) => "anonymous",
        (false, false) => return Err(Unauthenticated::Elsewhere),
    };
    let all = Permissions::of(&Permission::ALL).without(Permission::Override);
    let all = [Grant::unlimited(all)];
    Ok(Caller::new(Principal::parse(name)?, all, Standing::Address))
}
