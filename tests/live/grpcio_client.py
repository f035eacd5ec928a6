"""Asks a running node everything that a service in another language would, with nothing of ours but its address.

    python tests/live/grpcio_client.py 127.0.0.1:7400

Needs grpcio, grpcio-reflection and protobuf. No stubs are generated: the messages are made from the descriptors that the
node itself hands out by server reflection. Prints what it does; exit status 0 when all of it held, 1 when not.
"""

import hashlib
import os
import sys
import time
import uuid

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2

SERVICES = ["Decision", "Preference", "Watch", "Registry", "Cluster"]
DEADLINE = 15  # seconds, for each call

ALLOW, DENY = "DECISION_ALLOW", "DECISION_DENY"


class Reflected:
    """Messages and calls, as the node describes them."""

    def __init__(self, channel):
        self.channel = channel
        self.pool = descriptor_pool.DescriptorPool()
        self.known = set()
        # Version 1 of the protocol has the same messages as v1alpha under another name.
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            self.call = channel.stream_stream(
                path,
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            try:
                self.services = self._list()
                self.version = version
                return
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                    raise
        raise AssertionError("the node serves no reflection; start it with --reflection")

    def _ask(self, **request):
        request = reflection_pb2.ServerReflectionRequest(**request)
        answer = next(self.call(iter([request]), timeout=DEADLINE))
        assert not answer.HasField("error_response"), answer.error_response.error_message
        return answer

    def _list(self):
        listed = self._ask(list_services="*").list_services_response
        return sorted(service.name for service in listed.service)

    def _learn(self, files):
        for raw in files:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
            if file.name in self.known:
                continue
            self.known.add(file.name)
            for needed in file.dependency:
                if needed not in self.known:
                    answer = self._ask(file_by_filename=needed)
                    self._learn(answer.file_descriptor_response.file_descriptor_proto)
            self.pool.Add(file)

    def service(self, name):
        answer = self._ask(file_containing_symbol=name)
        self._learn(answer.file_descriptor_response.file_descriptor_proto)
        return Service(self, self.pool.FindServiceByName(name))

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))


class Service:
    """The calls of one service, by name; each takes the fields of its request."""

    def __init__(self, reflected, descriptor):
        for method in descriptor.methods:
            request = message_factory.GetMessageClass(method.input_type)
            answer = message_factory.GetMessageClass(method.output_type)
            proto = descriptor_pb2.MethodDescriptorProto()
            method.CopyToProto(proto)
            shape = ("stream" if proto.client_streaming else "unary") + (
                "_stream" if proto.server_streaming else "_unary"
            )
            call = getattr(reflected.channel, shape)(
                f"/{descriptor.full_name}/{method.name}",
                request_serializer=request.SerializeToString,
                response_deserializer=answer.FromString,
            )
            setattr(self, method.name, self._method(call, request, proto.client_streaming))

    @staticmethod
    def _method(call, request, streams):
        def many(items):
            return call((request(**fields) for fields in items), timeout=DEADLINE)

        def one(**fields):
            return call(request(**fields), timeout=DEADLINE)

        return many if streams else one


def name_of(message, field):
    """The name of an enum field's value."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return enum.values_by_number[getattr(message, field)].name


def uuid7():
    """A UUIDv7 (RFC 9562, section 5.7), which Python makes only from 3.14 on."""
    raw = bytearray(int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


def refused(code, call, **fields):
    """The details of a call that must be refused with a code."""
    try:
        call(**fields)
    except grpc.RpcError as error:
        assert error.code() == code, f"expected {code}, got {error.code()}: {error.details()}"
        trailers = dict(error.trailing_metadata())
        return error.details(), trailers.get("grpc-status-details-bin", b"")
    raise AssertionError(f"expected {code}, got an answer")


def serving(channel, service):
    """Asks grpc.health.v1, whose two messages are small enough to write by hand: field 1 of each."""
    name = service.encode()
    ask = channel.unary_unary("/grpc.health.v1.Health/Check")
    answer = ask(b"\x0a" + bytes([len(name)]) + name if name else b"", timeout=DEADLINE)
    return answer == b"\x08\x01"


def step(text):
    print(f"  {text}", flush=True)


def main(address):
    channel = grpc.insecure_channel(address)
    try:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE)
    except grpc.FutureTimeoutError as error:
        raise AssertionError(f"no connection to {address} within {DEADLINE} s") from error

    reflected = Reflected(channel)
    services = {name: reflected.service(f"refrain.v1.{name}Service") for name in SERVICES}
    assert all(f"refrain.v1.{name}Service" in reflected.services for name in SERVICES)
    step(f"reflection {reflected.version} describes {len(reflected.services)} services")

    for service in ("", "live", "refrain.v1.DecisionService"):
        assert serving(channel, service), f"health of {service!r} is not SERVING"
    step("health: serving")

    decisions, preferences = services["Decision"], services["Preference"]
    Identifier = reflected.message("refrain.v1.Identifier")
    address_of = f"ada-{uuid.uuid4().hex}@example.com"
    ada = Identifier(type="email", value=address_of)
    hashed = Identifier(type="email", sha256=hashlib.sha256(address_of.encode()).digest())
    nobody = Identifier(type="email", value=f"nobody-{uuid.uuid4().hex}@example.com")
    purpose = "marketing.email"

    before = decisions.Check(identifiers=[ada], purpose=purpose, service="live-test")
    assert name_of(before, "decision") == ALLOW, before
    assert name_of(before, "reason") == "REASON_DEFAULT_ALLOW", before
    assert before.decision_id and before.revision >= 1 and not before.event_id, before
    step(f"Check before: {ALLOW} at revision {before.revision}")

    # The feed is opened first, so that it must bring what comes after.
    feed = services["Watch"].Watch(from_revision=before.revision + 1, heartbeat_interval_ms=100)

    request = dict(request_id=uuid7(), identifiers=[ada], purposes=[purpose])
    done = preferences.SetOptOut(**request)
    assert done.changed and done.revision > before.revision, done
    assert done.request_id == request["request_id"] and done.received_at.seconds > 0, done
    again = preferences.SetOptOut(**request)
    assert (again.event_id, again.revision) == (done.event_id, done.revision), again
    repeat = preferences.SetOptOut(identifiers=[ada], purposes=[purpose])
    assert not repeat.changed and repeat.event_id == done.event_id and repeat.request_id, repeat
    step(f"SetOptOut: event {done.event_id} at revision {done.revision}; the retry and the repeat added none")

    for who in (ada, hashed):
        after = decisions.Check(identifiers=[who], purpose=purpose, min_revision=done.revision)
        assert name_of(after, "decision") == DENY and name_of(after, "reason") == "REASON_OPTED_OUT", after
        assert after.event_id == done.event_id and after.revision >= done.revision, after
    step(f"Check after, by value and by hash: {DENY}")

    batch = decisions.BatchCheck(
        items=[
            dict(identifiers=[ada], purpose=purpose),
            dict(identifiers=[nobody], purpose=purpose),
            dict(identifiers=[ada], purpose="no.such_purpose"),
            dict(identifiers=[ada, nobody], purpose=purpose),
            dict(identifiers=[ada], purpose="service.security"),
        ]
    )
    ok = [name_of(item.ok, "decision") if item.HasField("ok") else item.error.reason for item in batch.results]
    assert ok == [DENY, ALLOW, "PURPOSE_UNKNOWN", DENY, ALLOW], ok
    assert {item.ok.revision for item in batch.results if item.HasField("ok")} == {batch.revision}, batch
    step(f"BatchCheck: {', '.join(ok)}")

    count = 200
    questions = (
        dict(correlation_id=str(n), check=dict(identifiers=[ada if n % 2 else nobody], purpose=purpose))
        for n in range(count)
    )
    answers = {answer.correlation_id: name_of(answer.ok, "decision") for answer in decisions.CheckStream(questions)}
    assert answers == {str(n): DENY if n % 2 else ALLOW for n in range(count)}, answers
    step(f"CheckStream: {count} answers, each with its question's id")

    for item in feed:
        kind = item.WhichOneof("item")
        if kind == "heartbeat":
            assert item.heartbeat.revision < done.revision, "the feed passed over the event"
            continue
        assert kind == "event", item
        if item.event.revision == done.revision:
            break
        assert item.event.revision < done.revision, "the feed passed over the event"
    assert item.event.id == done.event_id and list(item.event.purposes) == [purpose], item
    assert address_of not in str(item), "an event holds a raw identifier"
    feed.cancel()
    step(f"Watch: brought event {item.event.id}")

    history = preferences.ListEvents(identifiers=[ada])
    assert [event.id for event in history.events] == [done.event_id], history
    standing = preferences.GetPreferences(identifiers=[ada])
    assert [record.purpose for record in standing.preferences] == [purpose], standing
    step("ListEvents and GetPreferences: one event, one record")

    back = preferences.SetOptIn(
        identifiers=[ada], purposes=[purpose], evidence=dict(statement="ticked the box in the live test")
    )
    assert back.changed and back.revision > done.revision, back
    allowed = decisions.Check(identifiers=[ada], purpose=purpose)
    assert name_of(allowed, "decision") == ALLOW and name_of(allowed, "reason") == "REASON_OPTED_IN", allowed
    step("SetOptIn with evidence: allowed again")

    imported = preferences.ImportOptOuts(
        [
            dict(header=dict(import_id=uuid7())),
            dict(rows=dict(first_row=0, rows=[dict(identifiers=[hashed], purposes=["*"]), dict(identifiers=[ada])])),
        ]
    )
    assert (imported.rows, imported.changed, imported.refused) == (2, 1, 1), imported
    denied = decisions.Check(identifiers=[ada], purpose=purpose)
    assert name_of(denied, "decision") == DENY, denied
    step(f"ImportOptOuts: one row taken, one refused ({imported.refusals[0].reason})")

    for code, call, fields, reason in [
        (grpc.StatusCode.NOT_FOUND, decisions.Check, dict(identifiers=[ada], purpose="no.such_purpose"), "PURPOSE_UNKNOWN"),
        (grpc.StatusCode.NOT_FOUND, decisions.Check, dict(identifiers=[ada], purpose=purpose, namespace="nowhere"), "NAMESPACE_UNKNOWN"),
        (grpc.StatusCode.INVALID_ARGUMENT, decisions.Check, dict(purpose=purpose), "IDENTIFIERS_REQUIRED"),
        (grpc.StatusCode.INVALID_ARGUMENT, preferences.SetOptIn, dict(identifiers=[ada], purposes=[purpose]), "EVIDENCE_REQUIRED"),
        (grpc.StatusCode.FAILED_PRECONDITION, preferences.SetOptOut, dict(identifiers=[ada], purposes=["service.security"]), "PURPOSE_ESSENTIAL"),
        (grpc.StatusCode.FAILED_PRECONDITION, decisions.Check, dict(identifiers=[ada], purpose=purpose, min_revision=1 << 60), "REVISION_AHEAD"),
    ]:
        details, info = refused(code, call, **fields)
        assert reason.encode() in info, f"{code}: no {reason} in ErrorInfo"
        assert address_of not in details, "an error holds a raw identifier"
    step("bad requests: each refused with its reason")

    status = services["Cluster"].Status()
    assert status.cluster_id and status.leader_id and not status.alarms, status
    assert all(member.reachable and member.health.ready for member in status.members), status
    step(f"Status: {len(status.members)} member(s), leader {status.leader_id}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    print(f"asking {sys.argv[1]} with grpcio {grpc.__version__}")
    try:
        main(sys.argv[1])
    except (AssertionError, grpc.RpcError) as error:
        print(f"FAILED: {type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    print("all of it held")
