"""Sessions: the second reading makes the same invitations, and holds the same conversation."""

import unittest

import session
from primitives import H, u32
from session import CREATED, Side, body, class_of
from test_vectors import ALICE, BOB, load


class Drawn:
    """The draws of the vectors: number `n` of them is `H(label ‖ u32 n ‖ u32 0) ‖ H(… ‖ u32 1) ‖ …`."""

    def __init__(self, name):
        self.label, self.count = b"WS1-VECTORS/" + name.encode(), 0

    def __call__(self, length):
        blocks = [H(self.label, u32(self.count), u32(block)) for block in range(-(-length // 32))]
        self.count += 1
        return b"".join(blocks)[:length]


class Sessions(unittest.TestCase):
    """V7 to V9 and V14."""

    def test_invitations(self):
        cases = load("v7-invitations.json")["cases"]
        self.assertEqual(len(cases), 20)
        for case in cases:
            with self.subTest(case["label"]):
                length, draw = case["length"], Drawn(case["label"])
                said = body(0, CREATED, bytes(n % 256 for n in range(length)))
                size, salt = class_of(length), draw(32)
                data, made = session.invite(
                    ALICE, BOB, case["one_time"], case["tail"], said, size, salt)
                self.assertEqual(made["X(E)"].hex(), case["key"])
                self.assertEqual(H(data).hex(), case["data"])
                self.assertEqual(made["sid"].hex(), case["sid"])
                self.assertEqual(session.mid(made["HK_A"], 0, bytes(16)).hex(), case["mid"])
                self.assertEqual(draw(4).hex(), case["topic"])

    def test_a_conversation(self):
        steps = load("v8-conversation.json")["steps"]
        draws = [Drawn("V8 A"), Drawn("V8 B")]
        said = body(0, CREATED, b"hello")
        _, made = session.invite(ALICE, BOB, False, True, said, 2048, draws[0](32))
        draws[0](4)  # the invitation's topic
        sides, sealed = [Side(True, made, ALICE, BOB), Side(False, made, ALICE, BOB)], {}
        for step in steps:
            if "seal" in step:
                by, number = "AB".index(step["by"]), step["seal"]
                party = [ALICE, BOB][by]
                data = party.card() if step["data"] == "card" else bytes.fromhex(step["data"])
                content = step["kind"], data
                topic, name, packet = sides[by].seal(
                    step["kind"], step["at"], data, step["place"], draws[by])
                self.assertEqual(
                    [topic.hex(), name.hex(), H(packet).hex()],
                    [step["topic"], step["mid"], step["packet"]], step)
                sealed[number] = 1 - by, packet, step["place"], content
            else:
                to, packet, place, content = sealed[step["open"]]
                opened = sides[to].open(packet, place, draws[to])
                expected = None if step["result"] in ("gone", "not ours") else content
                self.assertEqual(opened, expected, step)
        self.assertEqual(len(sealed), 300)
        self.assertGreaterEqual(sides[0].round, 40)

    def test_topics(self):
        file = load("v9-topics.json")
        key = H(b"WS1-VECTORS/V9")
        self.assertEqual(key.hex(), file["header_key"])
        for hour in file["hours"]:
            epoch = hour["epoch"]
            topics = [session.topic(key, epoch, index).hex() for index in range(40)]
            self.assertEqual(session.envelope_key(key, epoch).hex(), hour["envelope_key"])
            self.assertEqual(topics, hour["topics"])

    def test_classes(self):
        file = load("v14-classes.json")
        table = b"".join(u32(class_of(length)) for length in range(64001))
        self.assertEqual(H(table).hex(), file["table"])


if __name__ == "__main__":
    unittest.main()
