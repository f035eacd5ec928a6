"""A message queue whose consumers drop the events of people who opted out: by the stamp alone, and by a check.

    pip install -r examples/python/requirements.txt
    python examples/python/message_queue.py 127.0.0.1:7400

An event is a CloudEvent, and carries its stamp in the extension attribute `refrainstamp`; where it goes on by HTTP, the stamp
goes with it in the header `Refrain-Stamp`.
"""

import queue
import sys
import uuid

import grpc

import stubs
from check import PURPOSE, may_use, stamped
from stamps import Denied, LiveStamps

HEADER = "Refrain-Stamp"
types = stubs.types_pb2


def viewed(decisions, preferences, account):
    """The producer: asks, and writes an event that holds the person's token and no identifier."""
    who = types.Identifier(type="account", value=account)
    answer = stamped(decisions, who)
    if answer is None:
        return None
    asked = stubs.preference_pb2.GetTokensRequest(identifiers=[who])
    token = preferences.GetTokens(asked, timeout=2).tokens[0].token
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/shop",
        "type": "org.example.page.viewed",
        "subject": token,
        "refrainstamp": answer.stamp,
        "data": {"name": account.split("-")[0], "page": "/engines/difference"},
    }


def by_stamp(live, stamp, token):
    """The consumer that asks nobody."""
    try:
        live.check(stamp, "default", PURPOSE, token)
    except Denied as why:
        return f"dropped: {why}"
    return "used"


def by_check(decisions, event):
    """The consumer that asks the authority each time."""
    who = types.Identifier(type="account", token=event["subject"])
    return "used" if may_use(decisions, who) is not None else "dropped: the authority does not allow it"


def main(endpoint):
    channel = grpc.insecure_channel(endpoint)
    decisions = stubs.decision_pb2_grpc.DecisionServiceStub(channel)
    preferences = stubs.preference_pb2_grpc.PreferenceServiceStub(channel)
    live = LiveStamps(channel)
    if not live.until(0, timeout=10):
        return 1

    events = queue.Queue(maxsize=16)
    run = uuid.uuid4()
    for name in ("ada", "grace"):
        event = viewed(decisions, preferences, f"{name}-{run}")
        if event is None:
            return 1
        events.put(event)

    # The events wait in the queue, and Ada opts out.
    ada = types.Identifier(type="account", value=f"ada-{run}")
    stop = stubs.preference_pb2.SetOptOutRequest(identifiers=[ada], purposes=[PURPOSE])
    revision = preferences.SetOptOut(stop, timeout=2).revision
    print(f"ada opted out, revision {revision}")
    # A go-ahead may be some moments old. The example waits, so that it shows the same each time.
    if not live.until(revision, timeout=10):
        return 1

    while not events.empty():
        event = events.get()
        name = f"{event['data']['name']:<6}"
        print(f"by stamp:  {name} {by_stamp(live, event['refrainstamp'], event['subject'])}")
        print(f"by check:  {name} {by_check(decisions, event)}")
        headers = {HEADER: event["refrainstamp"], "ce-subject": event["subject"]}
        print(f"by header: {name} {by_stamp(live, headers[HEADER], headers['ce-subject'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7400"))
