"""Reads receipts with securesystemslib (DSSE, Ed25519) and in-toto-attestation (Statement v1), and no code of ours.

Usage: in_toto.py PUBLIC_KEY.pem GOOD_RECEIPT... -- BAD_RECEIPT...
"""

import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

PREDICATE = "urn:sre:receipt:v1"


def check(path, pem):
    with open(path, "rb") as file:
        envelope = json.load(file)
    keyid = envelope["signatures"][0]["keyid"]
    key = SSlibKey.from_crypto(load_pem_public_key(pem), keyid=keyid)
    dsse = Envelope.from_dict(envelope)
    assert dsse.payload_type == "application/vnd.in-toto+json", dsse.payload_type
    assert list(dsse.verify([key], 1)) == [keyid]
    statement = json_format.Parse(dsse.payload, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    assert statement.predicate_type == PREDICATE, statement.predicate_type
    predicate = json.loads(dsse.payload)["predicate"]
    provable = predicate["provable"]
    if provable is not None:
        assert statement.subject[0].digest["sha256"] == provable["commitment"]["outcome"]


def main():
    pem, *rest = sys.argv[1:]
    split = rest.index("--")
    with open(pem, "rb") as file:
        pem = file.read()
    for path in rest[:split]:
        check(path, pem)
    for path in rest[split + 1 :]:
        try:
            check(path, pem)
        except Exception as refused:  # any refusal will do
            print(f"refused {path}: {type(refused).__name__}")
        else:
            sys.exit(f"{path} was accepted")
    print("checked")


main()
