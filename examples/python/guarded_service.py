"""A service over HTTP that asks before it processes: nothing but a fresh ALLOW of the authority lets a request through.

    pip install -r examples/python/requirements.txt
    python examples/python/guarded_service.py 127.0.0.1:7400 127.0.0.1:8080
    curl -H 'x-account: 4711' http://127.0.0.1:8080/recommendations
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

import stubs

PURPOSE = "personalization"
types = stubs.types_pb2


class Handler(BaseHTTPRequestHandler):
    """Answers `/` to everybody, and `/recommendations` about whoever `x-account` names."""

    decisions = None  # set once, in main
    timeout = 10  # seconds that a client may be silent

    def do_GET(self):
        if self.path == "/":
            return self.answer(200, "see /recommendations")
        if self.path != "/recommendations":
            return self.answer(404, "there is no such page")
        status, revision = self.may_use(self.headers.get("x-account"))
        if status != 200:
            return self.answer(status, "no recommendations")
        # Right after the ALLOW, and for this one request: it is never kept.
        return self.answer(200, f"recommendations, as of revision {revision}")

    def may_use(self, account):
        """A status, and the revision of an ALLOW. Whatever is no ALLOW denies: no account, no answer, an unknown value."""
        if not account:
            return 403, None
        who = types.Identifier(type="account", value=account)
        question = stubs.decision_pb2.CheckRequest(identifiers=[who], purpose=PURPOSE, service="recommendations")
        try:
            answer = self.decisions.Check(question, timeout=2)
        except grpc.RpcError:
            return 503, None
        return (200, answer.revision) if answer.decision == types.DECISION_ALLOW else (403, None)

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing: a line a request would name whoever asked."""


def main(endpoint, listen):
    Handler.decisions = stubs.decision_pb2_grpc.DecisionServiceStub(grpc.insecure_channel(endpoint))
    host, port = listen.rsplit(":", 1)
    with ThreadingHTTPServer((host, int(port)), Handler) as server:
        print("listening on {}:{}".format(*server.server_address), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*(sys.argv[1:] + ["127.0.0.1:7400", "127.0.0.1:8080"][len(sys.argv) - 1 :]))
