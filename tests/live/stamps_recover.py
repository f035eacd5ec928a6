"""Holds the Python example of live stamps against a made-up cluster whose watches go silent and fall behind: each is given up
for another.
"""

import pathlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"))

import grpc  # noqa: E402

import stubs  # noqa: E402
from stamps import LiveStamps  # noqa: E402

PATIENCE = 60  # seconds until the test fails


class Cluster:
    """Says which revision it is at; its first watch says nothing, its second stays where it began."""

    def __init__(self):
        self.revision = 1
        self.watches = 0
        self.stop = threading.Event()

    def ListKeys(self, _request, _context):
        return stubs.stamp_pb2.ListStampKeysResponse(cluster_id="cc" * 16, revision=self.revision)

    def Verify(self, _request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "nobody asks")

    def Watch(self, request, context):
        self.watches += 1
        silent = self.watches == 1
        begun = request.from_revision - 1
        while context.is_active() and not self.stop.is_set():
            if not silent:
                beat = stubs.watch_pb2.Heartbeat(revision=begun)
                yield stubs.watch_pb2.WatchResponse(heartbeat=beat)
            self.stop.wait(0.1)


class Registry(stubs.registry_pb2_grpc.RegistryServiceServicer):
    def ListPurposes(self, _request, _context):
        return stubs.registry_pb2.ListPurposesResponse()


def main():
    cluster = Cluster()
    server = grpc.server(ThreadPoolExecutor(8))
    stubs.stamp_pb2_grpc.add_StampServiceServicer_to_server(cluster, server)
    stubs.watch_pb2_grpc.add_WatchServiceServicer_to_server(cluster, server)
    stubs.registry_pb2_grpc.add_RegistryServiceServicer_to_server(Registry(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    live = LiveStamps(grpc.insecure_channel(f"127.0.0.1:{port}"))
    silent = live.until(1, PATIENCE)
    watches = cluster.watches
    cluster.revision = 2
    lagging = silent and live.until(2, PATIENCE)
    print(f"silent: {silent}, lagging: {lagging}, watches: {watches} and {cluster.watches}")
    cluster.stop.set()
    server.stop(0)
    return 0 if silent and lagging and watches == 2 and cluster.watches == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
