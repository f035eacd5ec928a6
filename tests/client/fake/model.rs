//! What the made-up nodes remember: events, what they opted out of, and which requests they have seen.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost_types::Timestamp;
use refrain::proto::v1::{
    Event, EventKind, EventToken, Identifier, ImportRefusal, ImportRow, Member, NamespaceSettings,
    Override, Pending, Purpose, ServiceSeen, Signal, identifier::Form,
};
use refrain::stamp::PublicKey;
use tonic::{Code, Request, Status};

use super::refusal;

/// The state of a made-up cluster.
#[derive(Default)]
pub struct Model {
    /// Reports of what was processed, each as often as it came.
    pub reported: u32,
    pub events: Vec<Event>,
    /// Identifier and purpose, opted out.
    pub out: HashSet<(String, String)>,
    /// What each request id has led to: event id and revision.
    pub requests: HashMap<String, (String, u64)>,
    /// Every request id, as often as it came.
    pub request_ids: Vec<String>,
    pub imports: HashMap<String, u64>,
    pub members: Vec<Member>,
    pub alarms: Vec<String>,
    pub initialised: bool,
    pub purposes: BTreeMap<String, Purpose>,
    pub namespaces: Vec<String>,
    pub settings: BTreeMap<String, NamespaceSettings>,
    pub floors: BTreeMap<String, u32>,
    pub services: Vec<ServiceSeen>,
    pub pending: Vec<Pending>,
    pub overrides: Vec<Override>,
    pub stamp_keys: Vec<PublicKey>,
    /// Whether the nodes send no heartbeats.
    pub silent: bool,
    /// How many seconds after noon it is.
    pub seconds: i64,
    /// The `authorization` that each call carried.
    pub authorizations: Vec<String>,
    pub unready: bool,
    /// The namespace, the service and its schema version of the last call that names them.
    pub last_caller: (String, String, u32),
    /// What a check answers, whatever the rest says.
    pub decision: Option<i32>,
    pub revision_offset: i64,
}

impl Model {
    pub fn revision(&self) -> u64 {
        (self.events.len() as u64).saturating_add_signed(self.revision_offset)
    }

    pub fn set(
        &mut self,
        request_id: &str,
        who: &[Identifier],
        purposes: &[String],
        out: bool,
    ) -> Result<(String, u64, bool), Status> {
        self.request_ids.push(request_id.to_owned());
        if let Some((event, revision)) = self.requests.get(request_id) {
            return Ok((event.clone(), *revision, true));
        }
        for purpose in purposes {
            known(purpose)?;
        }
        let revision = self.events.len() as u64 + 1;
        let id = format!("0190a000-0000-7000-8000-{revision:012}");
        for (who, purpose) in pairs(who, purposes) {
            if out {
                self.out.insert((who, purpose));
            } else {
                self.out.remove(&(who, purpose));
            }
        }
        let kind = if out {
            EventKind::OptOut
        } else {
            EventKind::OptIn
        };
        self.events.push(Event {
            id: id.clone(),
            revision,
            kind: kind.into(),
            namespace: "default".to_owned(),
            tokens: who
                .iter()
                .map(|who| EventToken {
                    r#type: who.r#type.clone(),
                    token: format!("1:{revision:032x}"),
                    previous_revision: 0,
                })
                .collect(),
            purposes: purposes.to_vec(),
            signal: Signal::User.into(),
            principal: "anonymous".to_owned(),
            received_at: Some(noon()),
            ..Event::default()
        });
        self.requests
            .insert(request_id.to_owned(), (id.clone(), revision));
        Ok((id, revision, true))
    }

    pub fn denies(&self, who: &[Identifier], purpose: &str) -> Result<bool, Status> {
        known(purpose)?;
        let purpose = [purpose.to_owned()];
        Ok(pairs(who, &purpose)
            .iter()
            .any(|pair| self.out.contains(pair)))
    }

    /// Takes rows as the real import does: those known are skipped, a bad one is refused alone.
    pub fn import(
        &mut self,
        import_id: &str,
        first_row: u64,
        rows: &[ImportRow],
        taken: &mut refrain::proto::v1::ImportOptOutsResponse,
    ) -> Result<(), Status> {
        let next = self.imports.get(import_id).copied().unwrap_or_default();
        if first_row > next {
            return Err(refusal(Code::InvalidArgument, "IMPORT_GAP", "unknown"));
        }
        for (row, number) in rows.iter().zip(first_row..) {
            taken.rows += 1;
            if number < next {
                taken.skipped += 1;
            } else if row.purposes.iter().any(|it| it.starts_with("unknown")) {
                taken.refused += 1;
                taken.refusals.push(ImportRefusal {
                    row: number,
                    reason: "PURPOSE_UNKNOWN".to_owned(),
                    message: "no such purpose".to_owned(),
                });
            } else {
                self.set(
                    &format!("{import_id}/{number}"),
                    &row.identifiers,
                    &row.purposes,
                    true,
                )?;
                taken.changed += 1;
            }
        }
        let next = next.max(first_row + rows.len() as u64);
        self.imports.insert(import_id.to_owned(), next);
        taken.next_row = next;
        taken.revision = self.revision();
        Ok(())
    }
}

impl Model {
    /// The nodes' clock.
    pub fn clock(&self) -> Timestamp {
        Timestamp {
            seconds: noon().seconds + self.seconds,
            ..noon()
        }
    }

    /// Takes an event of any kind about these tokens, and tells its revision.
    pub fn record(&mut self, kind: i32, tokens: &[String]) -> u64 {
        let revision = self.events.len() as u64 + 1;
        let tokens = tokens.iter().map(|token| EventToken {
            r#type: "email".to_owned(),
            token: token.clone(),
            previous_revision: 0,
        });
        self.events.push(Event {
            id: format!("0190a000-0000-7000-8000-{revision:012}"),
            revision,
            kind,
            namespace: "default".to_owned(),
            tokens: tokens.collect(),
            received_at: Some(noon()),
            ..Event::default()
        });
        revision
    }

    pub fn settings(&self, namespace: &str) -> NamespaceSettings {
        self.settings.get(namespace).cloned().unwrap_or_default()
    }

    pub fn floor(&self, purpose: &str) -> u32 {
        self.floors.get(purpose).copied().unwrap_or_default()
    }

    /// The id of what a request proposes: the same for the same request.
    pub fn change_id(&mut self, request_id: &str) -> String {
        self.request_ids.push(request_id.to_owned());
        format!("change-{request_id}")
    }

    pub fn take_pending(&mut self, id: &str) -> Result<Pending, Status> {
        let found = self.pending.iter().position(|it| it.change_id == id);
        found.map(|at| self.pending.remove(at)).ok_or_else(unknown)
    }

    pub fn overridden(&mut self, id: &str) -> Result<&mut Override, Status> {
        let mut all = self.overrides.iter_mut();
        all.find(|it| it.override_id == id).ok_or_else(unknown)
    }
}

fn unknown() -> Status {
    refusal(Code::NotFound, "CHANGE_UNKNOWN", "not_applied")
}

/// Who calls: whatever the bearer token is.
pub fn principal<T>(request: &Request<T>) -> String {
    let value = request.metadata().get("authorization");
    let text = value.and_then(|it| it.to_str().ok()).unwrap_or_default();
    text.trim_start_matches("Bearer ").to_owned()
}

pub fn noon() -> Timestamp {
    Timestamp {
        seconds: 1_780_000_000,
        nanos: 0,
    }
}

fn known(purpose: &str) -> Result<(), Status> {
    if purpose.starts_with("unknown") {
        return Err(refusal(Code::NotFound, "PURPOSE_UNKNOWN", "not_applied"));
    }
    Ok(())
}

fn pairs(who: &[Identifier], purposes: &[String]) -> Vec<(String, String)> {
    let who = who.iter().map(|who| match &who.form {
        Some(Form::Value(value)) => format!("{}:{}", who.r#type, sha256(value)),
        Some(Form::Sha256(hash)) => format!("{}:{hash:02x?}", who.r#type),
        Some(Form::Token(token)) => format!("{}:{token}", who.r#type),
        None => String::new(),
    });
    who.flat_map(|who| {
        purposes
            .iter()
            .map(move |purpose| (who.clone(), purpose.clone()))
    })
    .collect()
}

fn sha256(value: &str) -> String {
    use sha2::Digest as _;
    format!(
        "{:02x?}",
        sha2::Sha256::digest(value.trim().to_lowercase()).to_vec()
    )
}
