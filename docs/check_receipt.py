#!/usr/bin/env python3
"""Checks a receipt without any code of the project that issued it.

    python3 -m pip install cryptography
    python3 check_receipt.py receipt.json --key 'name+id+base64' [--proof receipt.tlog-proof] [--blobs FOLDER]

`receipt.json` is a receipt, or what a service answers to `GET /v1/orders/ID/receipt`, which has the proof in it. `--key`
is the executor's key as `sre key show` prints it, had from him by a way you trust; once for each key that he has had,
because after a rotation an old key has signed the receipt and a new one the log. What is checked: signature (DSSE,
Ed25519), digests (SHA-256 of canonical JSON), and the place in the transparency log (RFC 6962, C2SP tlog-proof). What is
not: until when you trust an old key, and that the skill really does this on this input. For that, run it: `sre verify`.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data):
    return hashlib.sha256(data).digest()


def canonical(value):
    """RFC 8785 for what is digested here: objects of ASCII strings and integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def need(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def holds(key, signature, message):
    try:
        key.verify(signature, message)
        return True
    except InvalidSignature:
        return False


def read_key(vkey):
    need(vkey.count("+") >= 2, "the key has the form name+id+base64")
    name, key_id, material = vkey.strip().split("+", 2)
    material = base64.b64decode(material, validate=True)
    need(material[0] == 1 and len(material) == 33, "the key is an Ed25519 key")
    need(sha256(name.encode() + b"\n" + material)[:4].hex() == key_id, "the key's id fits its name")
    return name, bytes.fromhex(key_id), material[1:]


def read_receipt(raw):
    """The envelope's bytes, and the proof where a service has put both into one object."""
    shown = json.loads(raw)
    if "receipt" not in shown:
        return raw, None
    need(shown["receipt"] is not None, "the receipt is signed")
    return canonical(shown["receipt"]), shown["proof"]


def check_receipt(raw, keys):
    envelope = json.loads(raw)
    need(canonical(envelope) == raw, "the receipt is in canonical form")
    need(envelope["payloadType"] == "application/vnd.in-toto+json", "it is an in-toto statement")
    need(len(envelope["signatures"]) == 1, "it has one signature")
    signature = envelope["signatures"][0]
    public = next((public for _, _, public in keys if sha256(public).hex() == signature["keyid"]), None)
    need(public is not None, "it is signed by an expected key")
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"], validate=True)
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    key = Ed25519PublicKey.from_public_bytes(public)
    need(holds(key, base64.b64decode(signature["sig"], validate=True), signed), "the signature holds")
    statement = json.loads(payload)
    need(statement["_type"] == "https://in-toto.io/Statement/v1", "it is a Statement v1")
    need(statement["predicateType"] == "urn:sre:receipt:v1", "it is a receipt of version 1")
    return statement


def check_digests(statement, blobs):
    provable = statement["predicate"]["provable"]
    if provable is None:
        print("note: the order committed nothing, so there is nothing to recompute")
        return
    commitment = provable["commitment"]
    need(sha256(canonical(commitment)).hex() == provable["commitment_hash"], "the commitment has its digest")
    need(sha256(canonical(provable["outcome"])).hex() == commitment["outcome"], "the outcome is the committed one")
    outcome = provable["outcome"]
    result = outcome.get("result") or {}
    value = result.get("sha256") if result.get("kind") == "value" else None
    need(value == provable["result_hash"], "the result is the outcome's")
    need(statement["subject"][0]["digest"]["sha256"] == commitment["outcome"], "the subject is the outcome")
    if blobs is None:
        return
    named = {name: digest for name, digest in commitment.items() if name != "format"}
    if value:
        named["result"] = value
    if "stdout" in outcome:
        named["standard output"] = outcome["stdout"]["sha256"]
    named.update({name: outcome[name] for name in ("workspace", "home") if name in outcome})
    for name, digest in named.items():
        check_blob(blobs, name, digest)
    # A folder's digest is that of a list of its files; each file is named there by its own.
    for folder in ("workspace", "home"):
        if folder in outcome:
            for entry in json.loads((blobs / outcome[folder]).read_bytes()):
                if "sha256" in entry:
                    check_blob(blobs, f"{folder}/{entry['path']}", entry["sha256"])


def check_blob(blobs, name, digest):
    need(sha256((blobs / digest).read_bytes()).hex() == digest, f"the bytes of the {name} have their digest")


def check_proof(proof, leaf, keys):
    head, _, note = proof.partition("\n\n")
    header, index, *path = head.split("\n")
    need(header == "c2sp.org/tlog-proof@v1" and index.startswith("index "), "the proof is a tlog-proof")
    index = int(index.removeprefix("index "))
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    origin, size, root = text.splitlines()[:3]
    need(origin in [name for name, _, _ in keys], "the checkpoint is of the expected log")
    signatures = [line.split(" ") for line in lines.splitlines() if line.startswith("— ")]
    ours = [base64.b64decode(line[2]) for line in signatures if line[1] == origin]
    logs = [(key_id, Ed25519PublicKey.from_public_bytes(public)) for name, key_id, public in keys if name == origin]
    signed = [key_id for key_id, key in logs for raw in ours if raw[:4] == key_id and holds(key, raw[4:], text.encode())]
    need(len(signed) > 0, "the log signed the checkpoint")
    # RFC 9162, section 2.1.3.2.
    node, last, value = index, int(size) - 1, sha256(b"\0" + leaf)
    need(node <= last, "the entry is within the log")
    for sibling in (base64.b64decode(line, validate=True) for line in path):
        need_more = last > 0
        if not need_more:
            need(False, "the path is no longer than the tree is high")
        if node % 2 or node == last:
            value = sha256(b"\1" + sibling + value)
            while node % 2 == 0 and node != 0:
                node, last = node >> 1, last >> 1
        else:
            value = sha256(b"\1" + value + sibling)
        node, last = node >> 1, last >> 1
    need(last == 0 and value == base64.b64decode(root), f"the receipt is entry {index} of {size} in the log")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("receipt", type=pathlib.Path)
    parser.add_argument("--key", required=True, action="append", help="a key of the executor's: name+id+base64; repeatable")
    parser.add_argument("--proof", type=pathlib.Path)
    parser.add_argument("--blobs", type=pathlib.Path, help="a folder of files named by their SHA-256")
    arguments = parser.parse_args()
    try:
        keys = [read_key(key) for key in arguments.key]
        raw, proof = read_receipt(arguments.receipt.read_bytes())
        check_digests(check_receipt(raw, keys), arguments.blobs)
        if arguments.proof:
            proof = arguments.proof.read_text(encoding="utf-8")
        if proof is not None:
            entry = {"format": "sre.log-entry/v1", "kind": "receipt", "sha256": sha256(raw).hex()}
            check_proof(proof, canonical(entry), keys)
    except Exception as error:  # Whatever it is that cannot be read: nothing was shown to hold.
        sys.exit(f"FAILED: {type(error).__name__}: {error}")
    print("the receipt holds" if proof is not None else "the receipt holds; its place in the log was not checked")


main()
