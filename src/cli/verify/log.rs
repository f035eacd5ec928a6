//! A journal, held against a checkpoint that was kept: whether it only grew.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io::Write as _,
    path::Path,
};

use refrain::{
    limits,
    proof::{
        Checkpoint, CheckpointInvalid, VerifierKey, VerifierKeys,
        growing::{Growing, Tile},
        merkle::{Hash, leaf_hash},
        path::{Resource, WIDTH},
        tiles,
        tree::{consistency, extends, parts, range_root},
    },
};
use serde_json::json;

use super::{VerifyArgs, fetch::Log};
use crate::cli::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, grouped},
};

/// The most bytes of an entry bundle: 256 entries of the largest size, each with its length.
const BUNDLE_BYTES: usize = 256 * (limits::LEAF_BYTES + 2);

/// Verifies a journal.
pub async fn verify(
    args: &VerifyArgs,
    url: &str,
    keys: &VerifierKeys,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let log = Log::at(url, client)?;
    let since = args.since.as_deref().map(|path| kept(path, keys));
    let since = since.transpose()?;
    let signed = log.checkpoint().await?;
    let signed = String::from_utf8(signed.to_vec())
        .map_err(|_| Failure::other("the checkpoint is not a text"))?;
    let (newer, key) = Checkpoint::verify(&signed, keys)
        .map_err(|error| Failure::other(format!("the checkpoint of {url}: {error}")))?;
    if let Some(older) = &since {
        grew(&log, older, &newer).await?;
    }
    if args.all {
        holds(&log, &newer).await?;
    }
    if let Some(path) = &args.save {
        save(path, &signed)?;
    }
    show(&newer, since.as_ref(), &key, args.all, output)?;
    Ok(exit::OK)
}

/// A checkpoint that was kept.
fn kept(path: &Path, keys: &VerifierKeys) -> Result<Checkpoint, Failure> {
    let named = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {named}: {error}")))?;
    let read = Checkpoint::verify(&text, keys);
    let (checkpoint, _) = read.map_err(|error: CheckpointInvalid| {
        Failure::other(format!("{named} proves nothing: {error}"))
    })?;
    Ok(checkpoint)
}

/// Written aside and renamed, so that the one that was kept is never half gone. What lies aside already is somebody's, and stays.
fn save(path: &Path, signed: &str) -> Result<(), Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    File::create_new(&aside)
        .and_then(|mut file| file.write_all(signed.as_bytes()))
        .and_then(|()| std::fs::rename(&aside, path))
        .map_err(|error| Failure::other(format!("cannot write {}: {error}", path.display())))
}

/// Holds that a journal begins with what an older checkpoint says.
async fn grew(log: &Log, older: &Checkpoint, newer: &Checkpoint) -> Result<(), Failure> {
    if older.origin != newer.origin {
        return Err(Failure::other(format!(
            "the journal is {}, and the checkpoint that was kept is of {}: they are two clusters",
            newer.origin, older.origin
        )));
    }
    if newer.size < older.size {
        return Err(Failure::unavailable(format!(
            "the journal has {} events where {} were signed before: this node lags behind, or events are gone",
            grouped(newer.size),
            grouped(older.size)
        ))
        .advise("ask again, or another node; if it stays so, keep both checkpoints: they are the evidence"));
    }
    let mut fetched: BTreeMap<Resource, Vec<Hash>> = BTreeMap::new();
    let mut proof = Vec::new();
    for range in consistency(older.size, newer.size) {
        let mut hashes = Vec::new();
        for part in parts(&range) {
            let tile = match fetched.entry(part.tile(newer.size)) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(wanted) => {
                    let tile = tile_of(log, wanted.key()).await?;
                    wanted.insert(tile)
                }
            };
            hashes.push(tile.get(part.within()).unwrap_or_default().to_vec());
        }
        proof.push(range_root(hashes.iter().map(Vec::as_slice)));
    }
    let (before, after) = ((older.size, &older.root), (newer.size, &newer.root));
    if extends(before, after, &proof) {
        return Ok(());
    }
    Err(changed(&format!(
        "with {} events it does not begin with the {} that were signed before",
        grouped(newer.size),
        grouped(older.size)
    )))
}

async fn tile_of(log: &Log, tile: &Resource) -> Result<Vec<Hash>, Failure> {
    let path = tile.path();
    let bytes = log.get(&path, usize::from(tile.width) * 32).await?;
    tiles::hashes(&bytes, tile.width)
        .ok_or_else(|| Failure::other(format!("{path} is not a tile of {} hashes", tile.width)))
}

/// Holds that the events and the tiles which are served are those that the checkpoint was signed over.
async fn holds(log: &Log, checkpoint: &Checkpoint) -> Result<(), Failure> {
    let mut tree = Growing::default();
    for number in 0..checkpoint.size.div_ceil(WIDTH) {
        let width = (checkpoint.size - number * WIDTH).min(WIDTH);
        let width = u16::try_from(width).unwrap_or(256);
        let bundle = Resource {
            level: None,
            number,
            width,
        };
        let path = bundle.path();
        let bytes = log.get(&path, BUNDLE_BYTES).await?;
        let entries = tiles::entries(&bytes, width)
            .ok_or_else(|| changed(&format!("{path} does not hold {width} whole events")))?;
        for entry in entries {
            for tile in tree.push(leaf_hash(entry)) {
                holds_tile(log, tile).await?;
            }
        }
    }
    for tile in tree.edge() {
        holds_tile(log, tile).await?;
    }
    if tree.root() == checkpoint.root {
        return Ok(());
    }
    Err(changed(
        "the events that are served do not hash to the root that was signed",
    ))
}

async fn holds_tile(log: &Log, (tile, wanted): Tile) -> Result<(), Failure> {
    if tile_of(log, &tile).await? == wanted {
        return Ok(());
    }
    let path = tile.path();
    Err(changed(&format!(
        "{path} is not over the events that are served"
    )))
}

fn changed(how: &str) -> Failure {
    Failure::other(format!("THE JOURNAL WAS CHANGED: {how}"))
        .advise("keep the checkpoints, they are the evidence; ask another node, and compare what `refrain cluster status` says of both")
}

fn show(
    newer: &Checkpoint,
    since: Option<&Checkpoint>,
    key: &VerifierKey,
    all: bool,
    output: &Output,
) -> Result<(), Failure> {
    let text = || {
        let paint = output.paint;
        let what = match since {
            Some(older) => format!("it only grew since it had {} events", grouped(older.size)),
            None => {
                "its checkpoint is genuine; there is none to hold it against (--since)".to_owned()
            }
        };
        let mut lines = vec![format!("{}  {what}", paint.text(Tone::Good, "verified"))];
        if all {
            lines.push(paint.fact("events", "all of them, and every tile, hash to the root"));
        }
        lines.push(paint.fact("journal", &newer.origin));
        lines.push(paint.fact("size", grouped(newer.size)));
        lines.push(paint.fact("root", hex::encode(newer.root)));
        lines.push(paint.fact("signed by", key));
        lines.join("\n")
    };
    let json = json!({
        "verified": true,
        "origin": newer.origin,
        "size": newer.size,
        "root": hex::encode(newer.root),
        "signed_by": key.to_string(),
        "since": since.map(|older| older.size),
        "all_events": all,
    });
    output.result(text, &json)
}
