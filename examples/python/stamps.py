"""Reading stamps, and holding them against a live watch; the reasoning stands in the Rust client, `client::stamps`.

Every way out of here but a returned value is a denial.
"""

import threading
import time

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import stubs

TYPE = "refrain-stamp+jws"
LIFE = 15 * 60  # seconds that a stamp lives at most
AHEAD = 60  # seconds that one may come from the future
HEARTBEAT = 1.0  # seconds
WORD_AGE = 3 * HEARTBEAT  # how old the cluster's last word may be
REMEMBERED = 1 << 18  # changed tokens

types = stubs.types_pb2
SUBJECTS = {types.EVENT_KIND_OPT_OUT, types.EVENT_KIND_OPT_IN, types.EVENT_KIND_PREFERENCES}
HARMLESS = {
    types.EVENT_KIND_NAMESPACE,
    types.EVENT_KIND_CHANGE_PROPOSED,
    types.EVENT_KIND_CHANGE_WITHDRAWN,
    types.EVENT_KIND_OVERRIDE_BEGAN,
    types.EVENT_KIND_OVERRIDE_REVOKED,
    types.EVENT_KIND_OVERRIDE_ENDED,
    types.EVENT_KIND_STAMP_KEY,
}


class Denied(Exception):
    """Do not, and why."""


class Keys:
    """The public keys of a cluster."""

    def __init__(self, told):
        self.cluster = told.cluster_id
        self.by_id = {key.kid: Ed25519PublicKey.from_public_bytes(key.public_key) for key in told.keys}

    def read(self, stamp, namespace, purpose, token):
        """The claims of a genuine stamp that allowed this, as of its revision. Not yet a go-ahead."""
        try:
            header = jwt.get_unverified_header(stamp)
            if header.get("typ") != TYPE or set(header) != {"alg", "typ", "kid"}:
                raise Denied("it is no stamp")
            key = self.by_id.get(header["kid"])
            if key is None:
                raise Denied("no known key has signed the stamp")
            says = jwt.decode(
                stamp,
                key,
                algorithms=["EdDSA"],
                issuer=self.cluster,
                options={"require": ["iss", "sub", "iat", "exp"], "verify_iat": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            raise Denied(f"the stamp says nothing: {error}") from None
        if says["exp"] - says["iat"] > LIFE or says["iat"] > time.time() + AHEAD:
            raise Denied("the stamp's times are not those of a stamp")
        if says["ns"] != namespace or purpose not in says["purposes"]:
            raise Denied("the stamp is about something else")
        if token not in says["tokens"]:
            raise Denied("the stamp is about somebody else")
        if says["decision"] != "ALLOW":
            raise Denied(f"the stamp says DENY, as of revision {says['rev']}")
        return says


class LiveStamps:
    """Turns *allowed as of a revision* into a go-ahead while a watch shows that nothing has changed since."""

    def __init__(self, channel, schema_version=0):
        self.stamps = stubs.stamp_pb2_grpc.StampServiceStub(channel)
        self.watches = stubs.watch_pb2_grpc.WatchServiceStub(channel)
        self.registry = stubs.registry_pb2_grpc.RegistryServiceStub(channel)
        self.schema_version = schema_version
        self.known = threading.Condition()
        self._forget("the watch has not begun")
        threading.Thread(target=self._run, daemon=True).start()

    def check(self, stamp, namespace, purpose, token):
        """The claims of a stamp that is a go-ahead, now."""
        with self.known:
            if self.why:
                raise Denied(f"the cluster's changes are not followed: {self.why}")
            says = self.keys.read(stamp, namespace, purpose, token)
            for since in (self.heard, self.confirmed):
                if since is None or _age(since) > WORD_AGE:
                    raise Denied("the cluster's last word is too old")
            if not self.began <= says["rev"] <= self.seen:
                raise Denied("the stamp is from before the watch began, or ahead of it")
            for one in says["tokens"]:
                if self.changed.get(one, 0) > says["rev"]:
                    raise Denied("the person's preferences have changed since")
            if purpose not in self.floors or self.schema_version < self._floor(purpose):
                raise Denied("this program is too old for the purpose")
            return says

    def until(self, revision, timeout):
        """Waits until the watch is live and has come to a revision; tells whether it has."""
        with self.known:
            return self.known.wait_for(lambda: self._is_live() and self.seen >= revision, timeout)

    def _is_live(self):
        return self.heard is not None and self.confirmed is not None

    def _floor(self, purpose):
        words = purpose.split(".")
        above = (".".join(words[:count]) for count in range(1, len(words) + 1))
        return max([self.floor, *(self.floors.get(name, 0) for name in above)])

    def _forget(self, why):
        self.why = why
        self.began = self.seen = 0
        self.heard = self.confirmed = None
        self.awaited = []
        self.changed = {}

    def _run(self):
        while True:
            try:
                self._follow()
            except (grpc.RpcError, Denied) as error:
                with self.known:
                    self._forget(error.details() if isinstance(error, grpc.RpcError) else str(error))
            time.sleep(0.1)

    def _follow(self):
        told = self.stamps.ListKeys(stubs.stamp_pb2.ListStampKeysRequest(), timeout=WORD_AGE)
        registry = self.registry.ListPurposes(stubs.registry_pb2.ListPurposesRequest(), timeout=WORD_AGE)
        with self.known:
            self._forget("")
            self.keys = Keys(told)
            # The later of the two, so that the floors are never older than what is watched from.
            self.began = self.seen = max(told.revision, registry.revision)
            self.floor = registry.schema_floor
            self.floors = {it.name: it.schema_floor for it in registry.purposes}
            ask = stubs.watch_pb2.WatchRequest(
                from_revision=self.began + 1,
                heartbeat_interval_ms=int(HEARTBEAT * 1000),
                schema_version=self.schema_version,
            )
        feed = self.watches.Watch(ask)
        over = threading.Event()
        self.hurry = threading.Event()
        threading.Thread(target=self._ask, args=(feed, over, self.hurry), daemon=True).start()
        try:
            for item in feed:
                with self.known:
                    self._observe(item)
                    self._catch_up()
        finally:
            over.set()
            self.hurry.set()
            feed.cancel()
        raise Denied("the watch ended")

    def _observe(self, item):
        kind = item.WhichOneof("item")
        if kind == "event":
            event = item.event
            if event.revision != self.seen + 1:
                raise Denied("the watch has a gap")
            # What concerns everybody, and what is not known: begin anew, with the floors as they are then.
            if event.kind not in HARMLESS and not (event.kind in SUBJECTS and event.tokens):
                raise Denied("what concerns everybody has changed")
            self.seen = event.revision
            if event.kind == types.EVENT_KIND_STAMP_KEY:
                self.hurry.set()
            self.changed.update((token.token, event.revision) for token in event.tokens)
            if len(self.changed) > REMEMBERED:
                raise Denied("more has changed than can be remembered")
        elif kind != "heartbeat" or item.heartbeat.revision != self.seen:
            raise Denied("the watch shows what was not expected")
        self.heard = _now()

    def _ask(self, feed, over, hurry):
        """Asks the cluster again and again how far it is: a node that is cut off goes on with its heartbeats.

        A watch that says nothing, or that stays behind what the cluster says, is given up, so that another is opened.
        """
        named = 0
        begun = _now()
        while not over.is_set():
            hurry.clear()
            asked = _now()
            try:
                told = self.stamps.ListKeys(stubs.stamp_pb2.ListStampKeysRequest(), timeout=WORD_AGE)
            except grpc.RpcError:
                told = None
            with self.known:
                if over.is_set():
                    return
                if told is not None:
                    if told.revision < named:
                        feed.cancel()
                        return
                    named = told.revision
                    self.keys = Keys(told)
                    self.awaited = [*self.awaited[-15:], (asked, told.revision)]
                    self._catch_up()
                if any(_age(since or begun) > WORD_AGE for since in (self.heard, self.confirmed)):
                    feed.cancel()
                    return
            hurry.wait(HEARTBEAT)

    def _catch_up(self):
        while self.awaited and self.awaited[0][1] <= self.seen:
            self.confirmed = self.awaited.pop(0)[0]
        self.known.notify_all()


def _now():
    return time.monotonic(), time.time()


def _age(since):
    return max(time.monotonic() - since[0], time.time() - since[1])
