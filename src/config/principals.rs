//! Reads `[[principal]]`: who may call, by the hashes of their tokens, and what each was granted.

use figment::value::{Dict, Value};

use super::layers::{Layers, near_miss, text_of};
use crate::{
    admission::{BadEntry, Entry, Grant, Permission, Permissions, Principals, TokenHash},
    domain::{Namespace, Principal, PurposeName},
    limits,
};

/// The table of the file.
const TABLE: &str = "principal";

/// What one principal may hold.
pub(super) const PRINCIPAL_KEYS: [&str; 4] = ["name", "token_sha256", "token_sha256s", "grant"];

/// What one grant may hold.
pub(super) const GRANT_KEYS: [&str; 3] = ["permissions", "namespaces", "purposes"];

/// What a hash must look like.
const HASH: &str =
    "the 64 hex digits of a token's SHA-256 would do: `refrain principal new NAME` makes both";

/// Reads all principals. What is bad is noted, and left out.
pub(super) fn read(layers: &mut Layers) -> Principals {
    let mut principals = Principals::default();
    let Some(value) = layers.value(TABLE) else {
        return principals;
    };
    let Some(tables) = tables(&value) else {
        let wanted = "begin each principal with a line `[[principal]]`";
        layers.refuse_within(TABLE, "", "not a list of tables", wanted);
        return principals;
    };
    for (at, table) in tables.into_iter().enumerate() {
        let mut reading = Reading::of(layers, at + 1, table);
        let Some(entry) = reading.entry(table) else {
            continue;
        };
        if let Err(bad) = principals.add(entry) {
            let wanted = match bad {
                BadEntry::TooMany | BadEntry::TooManyGrants | BadEntry::Tokens => {
                    "take some out; a grant can name many namespaces and purposes"
                }
                BadEntry::NameReserved | BadEntry::NameTaken => "give it a name of its own",
                BadEntry::TokenTaken => "give each principal tokens of its own",
            };
            reading.refuse("", bad.to_string(), wanted);
        }
    }
    principals
}

/// It was bad, and that has been noted.
struct Noted;

/// One principal that is being read, and its place.
struct Reading<'a> {
    layers: &'a mut Layers,
    place: String,
}

impl<'a> Reading<'a> {
    /// The `number`-th principal of the file, from 1.
    fn of(layers: &'a mut Layers, number: usize, table: &Dict) -> Self {
        let named = match table.get("name").and_then(text_of) {
            Some(name) => format!(" (`{}`)", name.escape_debug()),
            None => String::new(),
        };
        let place = format!(" {number}{named}");
        Self { layers, place }
    }

    fn refuse(&mut self, within: &str, read: impl Into<String>, wanted: impl Into<String>) {
        let path = format!("{}{within}", self.place);
        self.layers.refuse_within(TABLE, &path, read, wanted);
    }

    /// The principal, where all of it is good.
    fn entry(&mut self, table: &Dict) -> Option<Entry> {
        let known = self.known(table, "", &PRINCIPAL_KEYS);
        let name = self.name(table);
        let tokens = self.tokens(table);
        let grants = self.grants(table);
        let entry = Entry {
            name: name?,
            tokens: tokens?,
            grants: grants?,
        };
        known.then_some(entry)
    }

    /// Whether a table holds nothing but what it may.
    fn known(&mut self, table: &Dict, within: &str, keys: &[&str]) -> bool {
        let mut good = true;
        for key in table.keys().filter(|key| !keys.contains(&key.as_str())) {
            let wanted = match near_miss(key, keys) {
                // Above all, the token itself stays out of the file and of what is said of it.
                _ if key == "token" => HASH.to_owned(),
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys are {}", keys.join(", ")),
            };
            self.refuse(&format!("{within}, {key}"), "no such setting", wanted);
            good = false;
        }
        good
    }

    fn name(&mut self, table: &Dict) -> Option<Principal> {
        let text = table.get("name").and_then(text_of);
        let name = text.as_deref().and_then(|text| Principal::parse(text).ok());
        if name.is_none() {
            let wanted = format!(
                "1 to {} visible ASCII characters would do",
                limits::PRINCIPAL_BYTES
            );
            let read = text.map_or("no name".to_owned(), |text| {
                format!("read `{}`", text.escape_debug())
            });
            self.refuse(", name", read, wanted);
        }
        name
    }

    fn tokens(&mut self, table: &Dict) -> Option<Vec<TokenHash>> {
        let (key, values) = match (table.get("token_sha256"), table.get("token_sha256s")) {
            (Some(one), None) => ("token_sha256", vec![one.clone()]),
            (None, Some(Value::Array(_, many))) => ("token_sha256s", many.clone()),
            (None, Some(_)) => {
                let wanted = "a list would do, such as [\"<64 hex digits>\", \"<64 hex digits>\"]";
                self.refuse(", token_sha256s", "not a list", wanted);
                return None;
            }
            (Some(_), Some(_)) => {
                let read = "token_sha256 and token_sha256s";
                self.refuse("", read, "give all hashes in token_sha256s");
                return None;
            }
            (None, None) => {
                self.refuse(", token_sha256", "no hash of a token", HASH);
                return None;
            }
        };
        let mut hashes = Vec::new();
        for value in &values {
            let Some(hash) = text_of(value).as_deref().and_then(TokenHash::parse) else {
                // It may be a token: what it is stays unsaid.
                self.refuse(&format!(", {key}"), "read what is no SHA-256", HASH);
                return None;
            };
            hashes.push(hash);
        }
        Some(hashes)
    }

    fn grants(&mut self, table: &Dict) -> Option<Vec<Grant>> {
        let Some(value) = table.get("grant") else {
            return Some(Vec::new());
        };
        let Some(tables) = tables(value) else {
            let wanted =
                "begin each grant with a line `[[principal.grant]]`, beneath its principal";
            self.refuse(", grant", "not a list of tables", wanted);
            return None;
        };
        let mut grants = Some(Vec::new());
        for (at, table) in tables.into_iter().enumerate() {
            let grant = self.grant(table, &format!(", grant {}", at + 1));
            grants = grants.zip(grant).map(|(mut grants, grant)| {
                grants.push(grant);
                grants
            });
        }
        grants
    }

    fn grant(&mut self, table: &Dict, within: &str) -> Option<Grant> {
        let known = self.known(table, within, &GRANT_KEYS);
        let names = Permission::ALL.map(Permission::name).join(", ");
        let wanted = format!("a list of some of {names} would do");
        let permissions = self.list(table, within, "permissions", &wanted, Permission::parse);
        let wanted = "a list of up to 64 namespaces would do, such as [\"default\"]; without it, all are meant";
        let namespaces = self.list(table, within, "namespaces", wanted, |name| {
            Namespace::parse(name).ok()
        });
        let wanted = "a list of up to 64 purposes would do, such as [\"marketing\"], which holds for what lies under \
                      them too; without it, all are meant";
        let purposes = self.list(table, within, "purposes", wanted, |name| {
            PurposeName::parse(name).ok()
        });
        let (permissions, namespaces, purposes) =
            (permissions.ok()?, namespaces.ok()?, purposes.ok()?);
        let Some(permissions) = permissions else {
            let wanted = format!("say which: some of {names}");
            self.refuse(within, "no permissions", wanted);
            return None;
        };
        let grant = Grant {
            permissions: Permissions::of(&permissions),
            namespaces,
            purposes,
        };
        known.then_some(grant)
    }

    /// Reads a list of 1 to 64; `None` where the key is absent.
    fn list<T>(
        &mut self,
        table: &Dict,
        within: &str,
        key: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Noted> {
        let Some(value) = table.get(key) else {
            return Ok(None);
        };
        let place = format!("{within}, {key}");
        let values = match value {
            Value::Array(_, values) if (1..=limits::GRANT_NAMES).contains(&values.len()) => values,
            Value::Array(_, values) => {
                self.refuse(&place, format!("a list of {}", values.len()), wanted);
                return Err(Noted);
            }
            _ => {
                self.refuse(&place, "not a list", wanted);
                return Err(Noted);
            }
        };
        let mut read = Vec::new();
        for value in values {
            let text = text_of(value);
            let Some(one) = text.as_deref().and_then(&parse) else {
                let what = text.map_or("read a table or a list".to_owned(), |text| {
                    format!("read `{}`", text.escape_debug())
                });
                self.refuse(&place, what, wanted);
                return Err(Noted);
            };
            read.push(one);
        }
        Ok(Some(read))
    }
}

/// The tables of a list of tables.
fn tables(value: &Value) -> Option<Vec<&Dict>> {
    let Value::Array(_, values) = value else {
        return None;
    };
    values.iter().map(Value::as_dict).collect()
}
