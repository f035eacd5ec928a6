"""The calls of Refrain, made from its proto files when a program starts. A real program generates them when it is built:

    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. proto/refrain/v1/*.proto
"""

import pathlib
import sys
import tempfile

from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
INCLUDED = pathlib.Path(protoc.__file__).parent / "_proto"

_made = tempfile.TemporaryDirectory()
_files = sorted(str(file) for file in (PROTO / "refrain" / "v1").glob("*.proto"))
_status = protoc.main(
    ["protoc", f"-I{PROTO}", f"-I{INCLUDED}", f"--python_out={_made.name}", f"--grpc_python_out={_made.name}", *_files]
)
if _status != 0:
    raise RuntimeError("the proto files do not compile")
sys.path.insert(0, _made.name)

from refrain.v1 import decision_pb2, decision_pb2_grpc  # noqa: E402, F401
from refrain.v1 import preference_pb2, preference_pb2_grpc  # noqa: E402, F401
from refrain.v1 import registry_pb2, registry_pb2_grpc  # noqa: E402, F401
from refrain.v1 import stamp_pb2, stamp_pb2_grpc  # noqa: E402, F401
from refrain.v1 import types_pb2  # noqa: E402, F401
from refrain.v1 import watch_pb2, watch_pb2_grpc  # noqa: E402, F401
