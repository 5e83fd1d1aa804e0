"""What go-ethereum made, and the ledger's proofs, read through the bindings."""

import json
import os
import pathlib
import struct
import unittest

from whisper_messaging import (
    Envelope,
    Identity,
    SymmetricKey,
    WhisperError,
    check_directory,
    check_inclusion,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = pathlib.Path(
    os.environ.get("WHISPER_VECTORS") or ROOT / "whisper-core/tests/vectors"
)


def load(name):
    return json.loads((VECTORS / name).read_text())


def unhex(text):
    return bytes.fromhex(text.removeprefix("0x"))


def rlp(item):
    """The canonical encoding of bytes or of a list."""
    if isinstance(item, list):
        body, base = b"".join(map(rlp, item)), 0xC0
    elif len(item) == 1 and item[0] < 0x80:
        return item
    else:
        body, base = item, 0x80
    if len(body) < 56:
        return bytes([base + len(body)]) + body
    length = shortest(len(body))
    return bytes([base + 55 + len(length)]) + length + body


def shortest(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def data_of(case):
    """Long runs of one byte are written as such."""
    if case["data"] is not None:
        return unhex(case["data"])
    return unhex(case["data_fill"]["byte"]) * case["data_fill"]["len"]


def envelope_of(case):
    if case["rlp"] is not None:
        return unhex(case["rlp"])
    numbers = [shortest(int(case[name])) for name in ("expiry", "ttl", "nonce")]
    return rlp([*numbers[:2], unhex(case["topic"]), data_of(case), numbers[2]])


def bare(key):
    """A public key as the vectors write it."""
    return None if key is None else key.removeprefix("0x")


class Vectors(unittest.TestCase):
    def cases(self, file, key, count):
        cases = load(file)[key]
        self.assertEqual(len(cases), count)
        return cases

    def test_envelopes_are_read_hashed_and_rated_as_the_reference_does(self):
        for case in self.cases("whisper-v6/whisper-v6-envelopes.json", "cases", 73):
            bytes_ = envelope_of(case)
            envelope = Envelope.decode(bytes_)
            info = envelope.info()
            self.assertEqual("0x" + info.hash, case["hash"])
            self.assertEqual("0x" + info.topic, case["topic"])
            self.assertEqual((info.expiry, info.ttl), (case["expiry"], case["ttl"]))
            self.assertEqual(info.nonce, int(case["nonce"]))
            self.assertEqual(info.work, case["leading_zeros"])
            # The reference divides by a time to live of 0; nobody takes such an envelope.
            if info.ttl > 0:
                self.assertEqual(struct.pack(">d", info.rating), unhex(case["pow_f64"]), case["id"])
            self.assertEqual(envelope.data(), data_of(case))
            self.assertEqual(envelope.encode(), bytes_)

    def test_messages_of_the_reference_open(self):
        for case in self.cases("whisper-v6/whisper-v6-messages.json", "cases", 83):
            if case["encryption"] == "symmetric":
                key = SymmetricKey.from_secret(unhex(case["sym_key"]))
            else:
                key = Identity.from_secret(unhex(case["recipient_private_key"]))
            message = key.decrypt(unhex(case["envelope"]["data"]))
            self.assertEqual(message.payload, unhex(case["payload"]))
            self.assertEqual(message.padding, unhex(case["padding"]))
            self.assertEqual(message.signer, bare(case["signer_public_key"]))

    def test_what_the_reference_must_refuse_is_refused(self):
        refused = 0
        for case in self.cases("whisper-v6/whisper-v6-message-negatives.json", "cases", 100):
            kind = Identity if case["kind"] == "asym" else SymmetricKey
            try:
                message = kind.from_secret(unhex(case["key"])).decrypt(unhex(case["data"]))
            except (WhisperError.NotOpened, WhisperError.Malformed):
                refused += 1
                # No key of ours is of another length, or all zero.
                if case["required"] != "reject":
                    self.assertEqual(set(unhex(case["key"])), {0})
                continue
            self.assertEqual(case["required"], "accept")
            self.assertEqual(message.payload, unhex(case["expect"]["payload"]))
        self.assertGreater(refused, 50)

    def test_passwords_become_the_references_keys(self):
        for case in self.cases("whisper-v6/whisper-v6-passwords.json", "cases", 20):
            key = SymmetricKey.from_password(case["password"].encode())
            expected = SymmetricKey.from_secret(unhex(case["key"]))
            self.assertEqual(key.fingerprint(), expected.fingerprint())

    def test_proofs_of_the_ledger_hold_and_bent_ones_do_not(self):
        kinds = {"inclusion": 0, "directory": 0}
        for case in self.cases("ledger/whisper-ledger-v1.json", "proofs", 26):
            kinds[case["kind"]] += 1
            root = unhex(case["root"])
            bent = bytes([root[0] ^ 1]) + root[1:]
            if case["kind"] == "inclusion":
                path = [unhex(step) for step in case["path"]]
                entry = unhex(case["leaf_data"])
                check = lambda root: check_inclusion(
                    entry, case["index"], case["size"], path, root
                )
            else:
                record = case.get("record")
                record = unhex(record) if isinstance(record, str) else None
                proof = unhex(case["proof"])
                check = lambda root: check_directory(case["handle"], record, proof, root)
            check(root)
            with self.assertRaises(WhisperError.Unproven):
                check(bent)
        self.assertEqual(kinds, {"inclusion": 17, "directory": 9})


if __name__ == "__main__":
    unittest.main()
