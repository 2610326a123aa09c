"""The messages, by Google's own encoder: protoc makes the modules from the .proto files at the first import."""
import glob
import importlib
import os
import sys
import tempfile

from support.paths import BUILD, ROOT, run


def _generate():
    base = os.path.join(BUILD, "gen")
    os.makedirs(base, exist_ok=True)
    target = os.path.join(base, "python")
    sources = sorted(glob.glob(os.path.join(ROOT, "proto", "loyal", "v1", "*.proto")))
    with tempfile.TemporaryDirectory(dir=base) as fresh:
        run("protoc", "-I", os.path.join(ROOT, "proto"), f"--python_out={fresh}", *sources)
        for path in glob.glob(os.path.join(fresh, "loyal", "v1", "*.py")):
            place = os.path.join(target, "loyal", "v1", os.path.basename(path))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.replace(path, place)  # whole files only, for runs side by side
    return target


sys.path.insert(0, _generate())
envelope = importlib.import_module("loyal.v1.envelope_pb2")
result = importlib.import_module("loyal.v1.result_pb2")
Request, Response = envelope.Request, envelope.Response

MESSAGES = [field.name for field in Request.DESCRIPTOR.oneofs_by_name["body"].fields]
CARD, PHONE, EMAIL = 1, 2, 3
EARN, REDEMPTION = 1, 2
SERVICE, OFFER, ANALYSIS = 1, 2, 3
MERCHANT_AND_DATE, AMOUNT, BASKET = 1, 2, 3
ACTIVE, SUSPENDED, REVOKED = 1, 2, 3
