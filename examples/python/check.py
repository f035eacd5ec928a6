"""Asks whether data about a person may be used, takes the answer as a stamp, and reads that stamp without asking anybody.

    pip install -r examples/python/requirements.txt
    python examples/python/check.py 127.0.0.1:7400
"""

import sys
import time
import uuid

import grpc

import stubs
from stamps import Denied, Keys

PURPOSE = "personalization"
types = stubs.types_pb2


def may_use(decisions, who, want_stamp=False):
    """The answer, for an ALLOW alone; anything else is a denial."""
    question = stubs.decision_pb2.CheckRequest(
        identifiers=[who], purpose=PURPOSE, service="recommendations", want_stamp=want_stamp
    )
    try:
        answer = decisions.Check(question, timeout=2)
    except grpc.RpcError as error:
        print(f"no answer, so deny: {error.details()}", file=sys.stderr)
        return None
    return answer if answer.decision == types.DECISION_ALLOW else None


def stamped(decisions, who):
    """An ALLOW with a stamp. A node that has just been started has no key yet."""
    for _ in range(100):
        answer = may_use(decisions, who, want_stamp=True)
        if answer is None or answer.stamp:
            return answer
        time.sleep(0.1)
    return None


def main(endpoint):
    channel = grpc.insecure_channel(endpoint)
    decisions = stubs.decision_pb2_grpc.DecisionServiceStub(channel)
    preferences = stubs.preference_pb2_grpc.PreferenceServiceStub(channel)
    stamps = stubs.stamp_pb2_grpc.StampServiceStub(channel)
    who = types.Identifier(type="account", value=f"ada-{uuid.uuid4()}")

    answer = stamped(decisions, who)
    if answer is None:
        return 1
    print(f"allowed, as of revision {answer.revision}")

    keys = Keys(stamps.ListKeys(stubs.stamp_pb2.ListStampKeysRequest(), timeout=2))
    asked = stubs.preference_pb2.GetTokensRequest(identifiers=[who])
    token = preferences.GetTokens(asked, timeout=2).tokens[0].token
    says = keys.read(answer.stamp, "default", PURPOSE, token)
    print(f"the stamp: allowed as of revision {says['rev']}")
    forged = answer.stamp[:-4] + ("AAAA" if not answer.stamp.endswith("AAAA") else "BBBB")
    try:
        keys.read(forged, "default", PURPOSE, token)
        return 1
    except Denied as why:
        print(f"a forged one: {why}")

    stop = stubs.preference_pb2.SetOptOutRequest(identifiers=[who], purposes=[PURPOSE])
    preferences.SetOptOut(stop, timeout=2)
    if may_use(decisions, who) is not None:
        return 1
    print("denied, after the opt-out")
    verify = stubs.stamp_pb2.VerifyStampRequest(stamp=answer.stamp, purpose=PURPOSE)
    now = stamps.Verify(verify, timeout=2)
    if now.decision == types.DECISION_ALLOW:
        return 1
    print("the authority denies the stamp, too")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7400"))
