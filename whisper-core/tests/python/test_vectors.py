"""A second reading of spec/session.md: it must agree with every vector that the Rust tests keep.

`WHISPER_VECTORS` names another folder of vectors, as for the Rust tests."""

import json
import os
import pathlib
import unittest

import cards
import session
from primitives import H, X, decaps, ek_of, encaps, full, label, seed_label, u32, valid_ek
from session import CREATED, Party, Side, body

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("WHISPER_VECTORS", HERE.parent / "vectors")) / "session"
ALICE, BOB = Party("A", 0x05060708), Party("B", 0x01020304)


def load(name):
    return json.loads((FOLDER / name).read_text())


def patched(base, patches):
    for patch in reversed(patches):
        at = patch["at"]
        base = base[:at] + bytes.fromhex(patch["put"]) + base[at + patch["cut"] :]
    return base


class Cards(unittest.TestCase):
    """V6 and V12."""

    def setUp(self):
        self.file = load("cards.json")
        self.bases = {name: bytes.fromhex(text) for name, text in self.file["bases"].items()}

    def data(self, case):
        return patched(self.bases[case["base"]], case["patches"])

    def test_the_bases_are_the_cards_of_appendix_c(self):
        self.assertEqual(self.bases["plain"], BOB.card())
        self.assertEqual(self.bases["one_time"], BOB.card(one_time=True))
        self.assertEqual(self.bases["short"], BOB.short_card())

    def test_good_cards_say_what_they_say(self):
        for case in self.file["good"]:
            with self.subTest(case["id"]):
                card = cards.read(case["form"], self.data(case), full(BOB.i))
                if case["form"] == "card":
                    self.assertEqual(bool(card.flags & 2), case["random_topics"])
                    self.assertEqual(bool(card.flags & 4), case["seed_mode"])
                    self.assertEqual(card.groups, case["groups"])
                    self.assertEqual(card.O and card.O[1], case["one_time_id"])
                if case["form"] == "public":
                    key, topic = cards.public_card(full(BOB.i), CREATED // 86400)
                    self.assertEqual([key.hex(), topic.hex()], [case["key"], case["topic"]])

    def test_bad_cards_are_refused_for_the_same_reason(self):
        self.assertGreaterEqual(len(self.file["bad"]), 50)
        for case in self.file["bad"]:
            with self.subTest(case["id"]), self.assertRaises(cards.Refused) as refused:
                cards.read(case["form"], self.data(case), full(BOB.i))
            self.assertEqual(str(refused.exception), case["error"], case["id"])

    def test_texts_give_the_same_cards_and_errors(self):
        for case in self.file["texts"]:
            with self.subTest(case["id"]):
                self.assertEqual(self.outcome(case), case["gives"])

    @staticmethod
    def outcome(case):
        form, texts = case["form"], case["texts"]
        if form == "reference":
            return cards.identity_of(texts[0]).hex()
        try:
            data = cards.from_parts(texts) if form == "parts" else cards.from_text(texts[0])
        except cards.Refused as why:
            return str(why)
        return data and H(data).hex()

    def test_cards_are_written_so(self):
        texts = {case["id"]: case["texts"] for case in self.file["texts"]}
        self.assertEqual(texts["link"], [cards.link(self.bases["plain"])])
        self.assertEqual(texts["QR text"], ["WSC1:" + cards.base45_encode(self.bases["plain"])])
        self.assertEqual(texts["reference"], [cards.reference(full(BOB.i))])

    def test_safety_numbers_are_the_same(self):
        pairs = load("safety-numbers.json")["pairs"]
        self.assertEqual(len(pairs), 10)
        for pair in pairs:
            one, other = bytes.fromhex(pair["one"]), bytes.fromhex(pair["other"])
            digits, code = cards.safety_number(one, other)
            self.assertEqual([digits, code.hex()], [pair["digits"], pair["code"]])
            self.assertEqual(cards.reference(one), pair["reference"])


class Kem(unittest.TestCase):
    """V15."""

    def test_another_implementation_agrees(self):
        file = load("ml-kem-768.json")
        for case in file["keyGen"]:
            key = ek_of(bytes.fromhex(case["seed"]))
            self.assertEqual(H(key).hex(), case["ek_sha256"], case["id"])
        for case in file["encapsulation"]:
            ct, secret = encaps(bytes.fromhex(case["ek"]), bytes.fromhex(case["m"]))
            self.assertEqual([H(ct).hex(), secret.hex()], [case["ct_sha256"], case["secret"]])
        for case in file["decapsulation"]:
            secret = decaps(bytes.fromhex(case["seed"]), bytes.fromhex(case["ct"]))
            self.assertEqual(secret.hex(), case["secret"], case["id"])
        key = bytes.fromhex(file["key"])
        for verdict, name in [(False, "bad_keys"), (True, "good_keys")]:
            for case in file[name]:
                put = bytes.fromhex(case["bytes"])
                changed = key[: case["at"]] + put + key[case["at"] + len(put) :]
                self.assertEqual(valid_ek(changed), verdict, case["id"])


class Known(unittest.TestCase):
    """Appendix C."""

    def setUp(self):
        lines = (FOLDER / "appendix-c.txt").read_text().splitlines()
        self.left = dict(line.split("=", 1) for line in lines if line)

    def holds(self, name, value):
        self.assertEqual(self.left.pop(name), value.hex(), name)

    def sized(self, name, value):
        self.assertEqual(self.left.pop(name), f"{len(value)} sha256={H(value).hex()}", name)

    def test_the_known_answers_come_out(self):
        self.keys()
        said = body(0, CREATED, b"hello")
        data, made = session.invite(ALICE, BOB, False, True, said, 2048, b"\x5a" * 32)
        for name in list(made):
            self.holds(name, made[name])
        self.sized("invite_len", data)
        data, with_o = session.invite(ALICE, BOB, True, False, said, 4096, b"\x5a" * 32)
        self.sized("invite_O_4096_len", data)
        self.holds("sid_O", with_o["sid"])
        self.messages(made)
        self.assertEqual(self.left, {}, "known answers that nobody looked at")

    def keys(self):
        for letter, party in [("A", ALICE), ("B", BOB)]:
            self.holds("I_" + letter, full(party.i))
            self.holds("D_" + letter, X(party.d))
            self.holds("P_" + letter, X(party.p))
        self.holds("cert_A", ALICE.cert)
        self.holds("tail_A", ALICE.tail())
        self.sized("card_B_len", BOB.card())
        self.sized("card_B_with_O_len", BOB.card(one_time=True))
        self.sized("short_card_B_len", BOB.short_card())
        self.holds("H(K_B)", H(BOB.ek))
        self.holds("card_B signature", BOB.card()[-64:])

    def messages(self, made):
        """Five messages in turn; what each side draws is named by the appendix."""
        sides = [Side(True, made, ALICE, BOB), Side(False, made, ALICE, BOB)]
        names = {32: iter(["rB", "m1", "rA2", "rB2", "m2", "rA3", "rB3", "unused"])}
        kems = iter(["q1", "q2", "q3"])

        def draw(length):
            if length == 16:
                return b"\x5a" * 16
            return seed_label(next(kems)) if length == 64 else label(next(names[32]))

        texts = [b"ok", b"two", b"three", b"four", b"five"]
        for number, text in enumerate(texts, 1):
            a = number % 2 == 0
            mixes = " mixes" if number in (3, 5) else ""
            name = f"{number} {'A>B' if a else 'B>A'}{mixes}"
            nonces = (H(b"WS1-KAT/nonce", b"%d" % number, u32(i))[:12] for i in range(1, 1000))
            place = (486111, 0)
            topic, _, data = sides[not a].seal(0, CREATED, text, place, draw, nonces.__next__)
            last = sides[not a].last
            self.holds(name + " topic", topic)
            self.holds(name + " mk", last["mk"])
            self.holds(name + " hdr_ct", last["hdr_ct"])
            self.sized(name + " packet_len", last["packet"])
            self.sized(name + " data_len", data)
            if mixes:
                self.holds(f"RK after {number}", sides[1].rk)
            self.assertEqual(sides[a].open(data, place, draw), (0, text))
            if number == 2:
                self.holds("q1", sides[1].q[:32] + sides[1].q[32:])


if __name__ == "__main__":
    unittest.main()
