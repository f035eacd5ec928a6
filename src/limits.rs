//! Every limit of the product, in one place, with its unit and what is refused past it.

mod membership;
mod monitoring;
mod telling;

use std::time::Duration;

pub use self::{membership::*, monitoring::*, telling::*};

/// Bytes of a raw identifier before it is normalised. Longer: `IDENTIFIER_INVALID`.
pub const IDENTIFIER_BYTES: usize = 512;

/// Bytes of an identifier's type, such as `email`. Longer: `IDENTIFIER_INVALID`.
pub const IDENTIFIER_TYPE_BYTES: usize = 32;

/// Digits of a phone number (E.164). More: `IDENTIFIER_INVALID`.
pub const PHONE_DIGITS: usize = 15;

/// Identifiers of one subject in one request. More: `TOO_MANY_IDENTIFIERS`.
pub const IDENTIFIERS: usize = 16;

/// Purposes in one request. More: `TOO_MANY_PURPOSES`.
pub const PURPOSES_PER_REQUEST: usize = 64;

/// Bytes of a namespace's name. Longer: `NAMESPACE_INVALID`.
pub const NAMESPACE_BYTES: usize = 64;

/// Bytes of a purpose's dotted name. Longer: `PURPOSE_INVALID`.
pub const PURPOSE_BYTES: usize = 128;

/// Words in a purpose's dotted name. More: `PURPOSE_INVALID`.
pub const PURPOSE_WORDS: usize = 8;

/// Bytes of a purpose's description. Longer: `PURPOSE_INVALID`.
pub const DESCRIPTION_BYTES: usize = 1_024;

/// Bytes of a principal's name. Longer: `PRINCIPAL_INVALID`.
pub const PRINCIPAL_BYTES: usize = 128;

/// Configured principals. More: the node does not start.
pub const PRINCIPALS: usize = 1_024;

/// Tokens of one principal, so that they can be replaced. More: the node does not start.
pub const PRINCIPAL_TOKENS: usize = 8;

/// Grants of one principal. More: the node does not start.
pub const GRANTS: usize = 64;

/// Namespaces, and purposes, that one grant names. More: the node does not start.
pub const GRANT_NAMES: usize = 64;

/// Characters of the name of the service that asks. Longer: `SERVICE_INVALID`.
pub const SERVICE_BYTES: usize = 128;

/// Registered purposes. More: `REGISTRY_FULL`.
pub const PURPOSES: usize = 4_096;

/// Registered namespaces. More: `REGISTRY_FULL`.
pub const NAMESPACES: usize = 10_000;

/// Purposes that a cluster can be created with: their event must fit a leaf.
pub const PURPOSES_AT_CREATION: usize = 48;

/// Namespaces that a cluster can be created with: their event must fit a leaf.
pub const NAMESPACES_AT_CREATION: usize = 16;

/// Bytes of an encoded event: the length prefix of an entry in a tile log has 16 bits.
pub const LEAF_BYTES: usize = 65_535;

/// Bytes of an encoded proposal: with its frame it fits one record of the log. More: `COMMAND_TOO_LARGE`.
pub const PROPOSAL_BYTES: usize = 100 * 1_024;

/// Bytes of the statement in an opt-in's evidence. Longer: `EVIDENCE_INVALID`.
pub const EVIDENCE_STATEMENT_BYTES: usize = 4_096;

/// Bytes of the IP address in an opt-in's evidence. Longer: `EVIDENCE_INVALID`.
pub const EVIDENCE_IP_ADDRESS_BYTES: usize = 64;

/// Bytes of the user agent in an opt-in's evidence. Longer: `EVIDENCE_INVALID`.
pub const EVIDENCE_USER_AGENT_BYTES: usize = 1_024;

/// Bytes of sealed evidence: the parts above, their framing, the wrapped key, nonces and tags.
pub const SEALED_EVIDENCE_BYTES: usize = 5_632;

/// Rows in one message of an import, and in one of its commands. More: `IMPORT_CHUNK_TOO_LARGE`.
pub const IMPORT_CHUNK_ROWS: usize = 1_000;

/// Bytes of the rows in one command of an import, encoded; a message with more is split into several commands.
pub const IMPORT_CHUNK_BYTES: usize = 96 * 1_024;

/// Refused rows that the answer to an import lists; the rest is counted.
pub const IMPORT_REFUSALS: usize = 1_000;

/// Accepted requests that are remembered; an id older than all of them is refused with `REQUEST_ID_EXPIRED`, unless it is
/// younger than [`REQUEST_WINDOW_MS`]. More within that time: `TOO_MANY_REQUESTS`.
pub const REQUESTS: usize = 1 << 19;

/// Milliseconds of the log's time for which an accepted request is remembered at least: some 35,000 a second fit. Fewer would
/// let retries of changes that were just made be refused.
pub const REQUEST_WINDOW_MS: u64 = 15_000;

/// Imports that are remembered; an id older than all of them is refused with `REQUEST_ID_EXPIRED`, unless it is younger
/// than [`IMPORT_WINDOW_MS`]. More within that time: `TOO_MANY_REQUESTS`.
pub const IMPORTS: usize = 10_000;

/// Milliseconds of the log's time for which an import is remembered at least.
pub const IMPORT_WINDOW_MS: u64 = 10 * 60 * 1_000;

/// Milliseconds that a request's id may lie ahead of the log's time. More: `REQUEST_ID_INVALID`. What lies ahead stays in a
/// full table longest and drives out what others need, so that it is no more than clocks differ by.
pub const REQUEST_ID_AHEAD_MS: u64 = 10_000;

/// Milliseconds in which a repeat that changes nothing adds no event.
pub const REPEAT_WINDOW_MS: u64 = 24 * 60 * 60 * 1_000;

/// Purposes that one override covers. More: `OVERRIDE_INVALID`.
pub const OVERRIDE_PURPOSES: usize = 16;

/// Services that one override names. More: `OVERRIDE_INVALID`.
pub const OVERRIDE_SERVICES: usize = 16;

/// Bytes of an override's reason. Longer: `OVERRIDE_INVALID`.
pub const REASON_BYTES: usize = 1_024;

/// Minutes that the setting for the longest override may say at most: 30 days. More: a setting that is refused, and
/// `OVERRIDE_EXPIRY_INVALID`.
pub const OVERRIDE_MINUTES: u32 = 30 * 24 * 60;

/// Overrides that are in force, or over with their totals still being gathered. More: `TOO_MANY_CHANGES`.
pub const OVERRIDES: usize = 64;

/// Milliseconds after an override is over in which nodes may still report what it let through; then its last event is
/// made.
pub const OVERRIDE_GATHER_MS: u64 = 150_000;

/// Changes that wait for a second principal. More: `TOO_MANY_CHANGES`.
pub const PENDING_CHANGES: usize = 64;

/// Milliseconds after which a proposed change that nobody approved has lapsed.
pub const PENDING_MS: u64 = 24 * 60 * 60 * 1_000;

/// Purposes that a signal opts out of. More: `TOO_MANY_PURPOSES`.
pub const SIGNAL_PURPOSES: usize = 16;

/// Public keys of nodes for stamps, retired ones among them. More: `STAMP_KEY_INVALID`, and whoever reads them as a set
/// refuses it.
pub const STAMP_KEYS: usize = 256;

/// Milliseconds for which a retired key's stamps are still accepted: the life of a stamp, and some time for clocks.
pub const STAMP_KEY_OVERLAP_MS: u64 = 20 * 60 * 1_000;

/// Services, each at one schema version, that are remembered; one that has not asked within a day, or else the one that has
/// asked least, makes room for a new one.
pub const SERVICES: usize = 4_096;

/// Entries of each list in one report of usage. Services that a node counts beyond them are counted under no name.
pub const USAGE_ENTRIES: usize = 256;

/// Overrides with a service that a node counts between two reports: all that stand, with all that they name, and as much
/// again, since one that is over may have made room for another. More are sent in several reports.
pub const USAGE_LIFTED: usize = 2 * OVERRIDES * OVERRIDE_SERVICES;

/// Public keys of nodes for the journal's checkpoints, all that there ever were. More: `JOURNAL_KEY_INVALID`.
pub const JOURNAL_KEYS: usize = 1_024;

/// Bytes of a signed checkpoint that is read. Longer: it is refused.
pub const CHECKPOINT_BYTES: usize = 4_096;

/// Bytes of a receipt in JSON that is read: the largest event, its proof, and room. Longer: it is refused.
pub const RECEIPT_BYTES: usize = 512 * 1_024;

/// How long a change that was acknowledged waits for its receipt. Longer: the answer comes without one.
pub const RECEIPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a caller who wants a stamp waits for the node's first key. Longer: the answer comes without one.
pub const STAMP_KEY_TIMEOUT: Duration = Duration::from_millis(500);

/// How long registering a key for stamps may take, and the pause after it was not registered.
pub const STAMP_KEY_PAUSE: Duration = Duration::from_secs(5);

/// The most days until a node changes its key for stamps.
pub const STAMP_KEY_DAYS: u64 = 365;

/// How long a report of usage may take before it is kept for the next time.
pub const USAGE_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Nodes whose last report of usage is remembered; the one with the smallest id makes room for a new one.
pub const USAGE_REPORTERS: usize = 1_024;

/// Milliseconds within which a service that was seen counts as one that asks: what a dry run of a schema floor lists.
pub const SERVICE_SEEN_MS: u64 = 24 * 60 * 60 * 1_000;

/// Revisions between two kept hashes of the state.
pub const HASH_POINT_EVERY: u64 = 1_024;

/// Kept hashes of the state.
pub const HASH_POINTS: usize = 64;

/// Bytes of one chunk of a snapshot, at most.
pub const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;

/// Items of one batch check. More: `BATCH_TOO_LARGE`.
pub const BATCH_ITEMS: usize = 1_000;

/// Checks in flight on one stream; the server reads on when it has answered one.
pub const STREAM_IN_FLIGHT: usize = 1_024;

/// Bytes of a stream's correlation id. Longer: `CORRELATION_ID_INVALID`.
pub const CORRELATION_ID_BYTES: usize = 64;

/// Characters of a decision id.
pub const DECISION_ID_BYTES: usize = 256;

/// Identifiers in a link. More: `LINK_TOO_LARGE`.
pub const LINK_IDENTIFIERS: usize = 4;

/// Purposes in a link. More: `LINK_TOO_LARGE`.
pub const LINK_PURPOSES: usize = 8;

/// Characters of a link, its path left out: with its header's name and a host before it, it fits a mail's line of 998. One
/// that would be longer: `LINK_TOO_LARGE`.
pub const LINK_BYTES: usize = 896;

/// Bytes that may be sent to a link: one small form. More: `MESSAGE_TOO_LARGE`.
pub const LINK_BODY_BYTES: usize = 16 << 10;

/// Bytes of a stamp. Longer: `STAMP_INVALID`.
pub const STAMP_BYTES: usize = 8_192;

/// Seconds that a stamp lives, at most. One that would live longer: `STAMP_INVALID`.
pub const STAMP_SECONDS: u64 = 15 * 60;

/// Seconds that a stamp may come from the future, as clocks differ. More: `STAMP_INVALID`.
pub const STAMP_AHEAD_SECONDS: u64 = 60;

/// Bytes of such a set as JSON. More: the set is refused.
pub const JWK_SET_BYTES: usize = 1 << 20;

/// Milliseconds between two heartbeats of the watch by which a client holds stamps against, where none is set.
pub const STAMP_HEARTBEAT_MS: u64 = 1_000;

/// Heartbeats that such a watch may miss before no stamp is a go-ahead any more.
pub const STAMP_HEARTBEATS: u32 = 3;

/// How old the cluster's last word may be, at most, for a stamp to be a go-ahead.
pub const STAMP_WORD_AGE: Duration = Duration::from_secs(5);

/// Changed tokens that such a client remembers. More: the oldest are forgotten, and stamps older than they are denied.
pub const STAMP_CHANGES: usize = 1 << 18;

/// How long it remembers a changed token: the life of a stamp and some more, so that only what has expired is denied for
/// having been forgotten.
pub const STAMP_MEMORY: Duration = Duration::from_secs(STAMP_SECONDS + 120);

/// How long a client goes on with the keys that it has read, and how often it reads them anew for a key that it lacks.
pub const STAMP_KEYS_AGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(1));

/// Events in one page of a subject's history. More: `PAGE_SIZE_INVALID`.
pub const EVENTS_PAGE: usize = 1_000;

/// Events in one page of a subject's history where none is asked for.
pub const EVENTS_PAGE_DEFAULT: usize = 100;

/// The shortest pause between two heartbeats, in milliseconds. Shorter: `HEARTBEAT_INVALID`.
pub const HEARTBEAT_MIN_MS: u32 = 100;

/// The longest pause between two heartbeats, in milliseconds. Longer: `HEARTBEAT_INVALID`.
pub const HEARTBEAT_MAX_MS: u32 = 60_000;

/// The pause between two heartbeats where none is asked for, in milliseconds.
pub const HEARTBEAT_DEFAULT_MS: u32 = 5_000;

/// Namespaces, and purposes, that a watch can be filtered by. More: `TOO_MANY_FILTERS`.
pub const WATCH_FILTERS: usize = 64;

/// How long connecting to another node may take.
pub const PEER_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of a message between nodes. Longer ones are refused by the receiver.
pub const PEER_MESSAGE_BYTES: usize = 16 << 20;

/// How long sending a snapshot may take before it begins anew.
pub const SNAPSHOT_SEND_TIMEOUT: Duration = Duration::from_secs(600);

/// The pause before a snapshot is tried again that the disk had no room for although there seemed to be some.
pub const SNAPSHOT_PAUSE: Duration = Duration::from_secs(5);

/// Reads that wait for a quorum round on one node. More: `overloaded`.
pub const READS_WAITING: usize = 65_536;

/// How long a quorum round for reads may take before it is given up and made anew.
pub const READ_ROUND_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause before a call that found no leader is tried again.
pub const RETRY_PAUSE: Duration = Duration::from_millis(25);

/// How long a call waits for a leader that can take no changes to hand over to a node that can.
pub const HAND_OVER_PATIENCE: Duration = Duration::from_secs(5);

/// How often a node finds out whether it serves.
pub const HEALTH_INTERVAL: Duration = Duration::from_millis(500);

/// How long finding out may take before the node counts as unready.
pub const HEALTH_PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a node may take to say what it is.
pub const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of log entries that one message to a follower carries, if there is more than one entry.
pub const APPEND_BYTES: usize = 256 << 10;

/// How long a message with log entries may be on its way to a follower and onto its disk, before it is sent again. Far
/// longer than the pause between two heartbeats: what a slow link never carries in time would be sent for ever.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Log entries that one message to a follower carries.
pub const APPEND_ENTRIES: u64 = 1_024;

/// Log entries that stay behind a snapshot, so that a follower which is a little late needs no snapshot.
pub const LOG_ENTRIES_KEPT: u64 = 512;

/// How often a node looks whether it has a duty to see to.
pub const DUTY_INTERVAL: Duration = Duration::from_millis(500);

/// How often a node looks for news of the cluster to log.
pub const NEWS_INTERVAL: Duration = Duration::from_millis(200);

/// How often a leader looks whether all members know a higher feature level.
pub const FEATURE_LEVEL_INTERVAL: Duration = Duration::from_secs(10);

/// How often a node asks the others what their clocks say, and how they are.
pub const CLOCKS_INTERVAL: Duration = Duration::from_secs(3);

/// Milliseconds that a leader's clock may be ahead of the members' median. More: it proposes nothing, `CLOCK_AHEAD`.
pub const CLOCK_AHEAD_MS: u64 = 10_000;

/// Milliseconds that a leader's clock may be behind the members' median. More: it hands over if it can, since ids that were
/// made by good clocks would seem to it to come from the future.
pub const CLOCK_BEHIND_MS: u64 = 5_000;

/// Milliseconds that ids which a node makes may differ from the members' median.
pub const CLOCK_NEAR_MS: u64 = 1_000;

/// How long a peer may take to hand over a bundle of its journal.
pub const BACKFILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Revisions that a node may lag behind and still count as caught up, while the others go on.
pub const CAUGHT_UP_REVISIONS: u64 = 1_000;

/// How long a step of adding a node may take on the leader.
pub const ADD_STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the progress of a node that is being added is told.
pub const ADD_REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// Bytes of one message from a client. More: `MESSAGE_TOO_LARGE`.
pub const MESSAGE_BYTES: usize = 4 << 20;

/// Bytes of the headers of one call. More: the call is refused by the transport.
pub const HEADER_BYTES: u32 = 16 << 10;

/// Connections of clients that one node holds open; more wait to be accepted.
pub const CONNECTIONS: usize = 10_000;

/// Calls that one connection may have open at a time; more wait for their turn.
pub const CALLS_PER_CONNECTION: u32 = 2_048;

/// Watches and streams of checks that one node holds open. More: `OVERLOADED`. They do not count among `max_calls`, so
/// that idle ones never crowd out checks.
pub const LONG_LIVED_CALLS: usize = 1_024;

/// Snapshots that are read from one node at a time: each may hold on to a whole old state. More: `TOO_MANY_SNAPSHOTS`.
pub const SNAPSHOTS_READ: usize = 4;

/// How long the rows of an import wait for more to share a command with, while their sender is silent.
pub const IMPORT_LINGER: Duration = Duration::from_millis(100);

/// How long the sender of an import that named no deadline may be silent before it is ended.
pub const IMPORT_SILENCE: Duration = Duration::from_secs(60);

/// How much of a caller's time is kept back, so that the answer, which says what became of the call, arrives before the
/// caller (or the transport) gives up without one. Never more than a tenth of that time.
pub const DEADLINE_MARGIN: Duration = Duration::from_millis(20);

/// How long a connection may be idle before it is asked for a sign of life, and how long it then has to give one.
pub const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Bytes of events that one read of the journal brings for a watcher, if there is more than one event.
pub const FEED_READ_BYTES: usize = 256 << 10;

/// How long forming a cluster of one may take on a node's first start.
pub const FORM_TIMEOUT: Duration = Duration::from_secs(60);
