"""A verifier of transparency logs that knows nothing of Refrain, aics-tlog, holds a cluster's journal against its checkpoints.

Usage: tlog_verifier.py KEYS OLDER RECEIPT TOKEN_FILE URL...

KEYS: the verifier keys, a line each, `#` before remarks; OLDER: a checkpoint that was kept; RECEIPT: a receipt as JSON;
TOKEN_FILE: the token of a principal that may read tiles; URL...: each node.
"""

import base64
import json
import sys
from pathlib import Path

from aics_tlog import (
    HttpTileReader,
    VerifiedTileReader,
    audit_tiles,
    consistency_proof_from_tiles,
    inclusion_proof_from_tiles,
    leaf_hash,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)

KEYS, OLDER, RECEIPT, TOKEN_FILE = (Path(path) for path in sys.argv[1:5])
NODES = sys.argv[5:]


def verified(text, keys):
    """A checkpoint by whichever of the keys signed it, or the reason why not."""
    note = parse_note(text)
    results = [verify_checkpoint(note, key) for key in keys]
    good = [result for result in results if result.ok]
    return (parse_checkpoint(note.text), None) if good else (None, [result.error for result in results])


def refused(text, keys):
    try:
        return verified(text, keys)[0] is None
    except ValueError:
        return True


def altered(text):
    """The text with each of its bytes changed in turn."""
    for at in range(len(text)):
        other = "A" if text[at] != "A" else "B"
        yield text[:at] + other + text[at + 1 :]


keys = [parse_vkey(line) for line in KEYS.read_text().splitlines() if line and not line.startswith("#")]
token = TOKEN_FILE.read_text().strip()
older, why = verified(OLDER.read_text(), keys)
assert older, why
receipt = json.loads(RECEIPT.read_text())["refrain:proof"]

for url in NODES:
    reader = HttpTileReader(url, proxies={})
    # aics-tlog knows logs that are open; this one's tiles are for those who may.
    reader._opener.addheaders.append(("Authorization", f"Bearer {token}"))
    text = reader.read_checkpoint().decode()
    newer, why = verified(text, keys)
    assert newer, (url, why)
    assert newer.origin == older.origin and newer.size > older.size, (older, newer)
    assert all(refused(one, keys) for one in altered(text)), f"{url}: a changed checkpoint was taken"

    # Every tile and every event, from the root down.
    report = audit_tiles(reader, newer.size, newer.root)
    assert report.size == newer.size and report.bundles == -(-newer.size // 256), report

    # What was signed before is the beginning of what is signed now.
    proof = consistency_proof_from_tiles(reader, older.size, newer.size)
    grown = (older.size, newer.size, older.root, newer.root)
    assert verify_consistency(*grown, proof), f"{url}: not an extension"
    assert not verify_consistency(*grown, [bytes(32), *proof[1:]]), "a proof that proves anything"

    # An event is in the log, by a proof that this verifier made from the tiles.
    index, tiles = newer.size // 2, VerifiedTileReader(reader, newer.size, newer.root)
    leaf = leaf_hash(tiles.entry(index))
    proof = inclusion_proof_from_tiles(tiles, index, newer.size)
    assert verify_inclusion(leaf, index, newer.size, proof, newer.root), f"{url}: not included"
    assert not verify_inclusion(leaf, index - 1, newer.size, proof, newer.root), "a proof that proves anything"
    print(f"{url}: {newer.size} events, {report.tiles} tiles, {report.bundles} bundles, extends {older.size}")

# The proof within a receipt, which the cluster made.
signed, why = verified(receipt["checkpoint"], keys)
assert signed, why
leaf = base64.b64decode(receipt["leaf"])
proof = [base64.b64decode(part) for part in receipt["inclusion"]]
index = next(
    (at for at in range(signed.size) if verify_inclusion(leaf_hash(leaf), at, signed.size, proof, signed.root)), None
)
assert index is not None, "the receipt's event is nowhere in its log"
print(f"the receipt's event is number {index} of {signed.size}")
