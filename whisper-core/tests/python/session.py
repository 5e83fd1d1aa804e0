"""Invitation and ratchet: spec/session.md, 3.3 and 3.5 to 3.8, for senders and receivers that do
everything right."""

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from primitives import (DH, H, HKDF, HMAC, X, Z12, decaps, ek_of, encaps, full, label, lift_x, seal,
                        seed_label, sign, u32, u64, unseal)

CREATED = 1750000000
CLASSES = [2048, 4096, 8192, 16384, 32768, 65536]


def class_of(length):
    return next(size for size in CLASSES if length <= size - 1504)


def body(kind, sent_at, data):
    return bytes([kind]) + u32(sent_at) + u32(len(data)) + data


class Party:
    """Alice or Bob of Appendix C."""

    def __init__(self, letter, prekey_id):
        self.i, self.d, self.p, self.o = (label(name + letter) for name in "idpo")
        self.k, self.prekey_id = seed_label("k" + letter), prekey_id
        self.ek, self.O = ek_of(self.k), X(self.o) + u32(0x090A0B0C)
        signed = b"\x01" + full(self.i) + X(self.d) + u32(1700000000) + u32(1800000000)
        self.cert = signed + sign(self.i, H(b"WS1/cert/v1", signed))

    def card(self, one_time=False):
        dates = u32(1749913600) + u32(1751123200)
        head = self.cert + X(self.p) + u32(self.prekey_id) + dates + bytes([2 + one_time])
        behind = self.O if one_time else b""
        signature = sign(self.i, H(b"WS1/card/v1", head, H(self.ek), behind))
        return head + self.ek + behind + signature

    def short_card(self):
        card = self.card()
        return card[:183] + H(self.ek) + card[-64:]

    def tail(self):
        return self.short_card()[138:]


def mix(ck, secret, keys=1):
    out = HKDF(ck, secret, b"", 32 * (keys + 1))
    return [out[at : at + 32] for at in range(0, len(out), 32)]


def coins(alice, bob, one_time, said, salt):
    info = b"WS1/eph" + X(bob.d) + X(bob.p) + H(bob.ek)
    info += u32(0x090A0B0C if one_time else 0) + H(u32(CREATED), said)
    out = HKDF(salt, alice.d + alice.k, info, 96)
    return out[:32], out[32:64], out[64:]


def invite(alice, bob, one_time, tail, said, size, salt):
    """The data of the envelope, and all that it was made of."""
    e, r, m = coins(alice, bob, one_time, said, salt)
    o_id = bob.O[32:] if one_time else u32(0)
    h = ck = H(b"WS1_secp256k1_ChaChaPoly_SHA256")
    h = H(H(h, full(bob.i), X(bob.d)), X(e))
    es = DH(e, X(bob.d))
    ck, k0, kk = mix(ck, es, 2)
    c0 = seal(k0, Z12, h, b"\x01\x02" + u32(bob.prekey_id) + o_id)
    h = H(H(h, c0), X(bob.p), H(bob.ek))
    ct, q0 = encaps(bob.ek, m)
    c_k = seal(kk, Z12, h, ct)
    h = H(h, c_k)
    ck, _ = mix(ck, DH(e, X(bob.p)))
    if one_time:
        h = H(h, X(bob.o))
        ck, _ = mix(ck, DH(e, X(bob.o)))
    ck, k1 = mix(ck, q0)
    c1 = seal(k1, Z12, h, alice.cert)
    h = H(h, c1)
    ck, _ = mix(ck, DH(alice.d, X(bob.d)))
    ck, k2 = mix(ck, DH(alice.d, X(bob.p)))
    inner = X(r) + u32(CREATED) + bytes([1 if tail else 0]) + u32(len(said)) + said
    inner += alice.tail() if tail else b""
    c2 = seal(k2, Z12, h, inner.ljust(size - 1304, b"\0"))
    h = H(h, c2)
    out = HKDF(ck, b"", b"WS1/session" + h, 128)
    names = ["RK0", "HK_A", "NHK_B", "sid"]
    made = {name: out[32 * at : 32 * at + 32] for at, name in enumerate(names)}
    made |= {"e": e, "r_A": r, "m": m, "X(E)": X(e), "es": es, "k0": k0, "kk": kk, "c0": c0}
    made |= {"H(ct)": H(ct), "q0": q0, "k1": k1, "k2": k2, "h": h}
    return X(e) + c0 + c_k + c1 + c2, made


def topic(header_key, epoch, index):
    return HMAC(header_key, b"WS1/topic", u64(epoch), u32(index))[:4]


def envelope_key(header_key, epoch):
    return HMAC(header_key, b"WS1/env", u64(epoch))


def mid(header_key, number, salt):
    return HMAC(header_key, b"WS1/mid", u32(number), salt)[:8]


def header_key_material(header_key, salt, place):
    out = HKDF(salt, header_key, b"WS1/head" + u64(place[0]) + u32(place[1]), 44)
    return out[:32], out[32:]


def body_key_material(message_key, salt):
    out = HKDF(salt, message_key, b"WS1/body", 44)
    return out[:32], out[32:]


class Side:
    """One side of a session. `a` says which: roles never change."""

    def __init__(self, a, made, alice, bob):
        self.a, self.sid = a, made["sid"]
        own, other = (made["r_A"], X(bob.p)) if a else (bob.p, X(made["r_A"]))
        self.rk, _, first = self.step(made["RK0"], DH(own, other))
        self.own, self.other = (made["r_A"], None) if a else (None, X(made["r_A"]))
        # Under which the next chain of each direction stands.
        self.next_sending, self.next_receiving = (first, made["NHK_B"]) if a else (made["NHK_B"], first)
        self.due, self.sent, self.previous = not a, 0, 0
        self.sending = None  # header key, chain key, whether it mixed
        self.receiving = {}  # header key -> [R, mixed, chain key, N, {N: mk}]
        self.round, self.seed, self.answer, self.q = 1 if a else 0, None, None, None
        self.last = None

    def step(self, rk, secret, q=b""):
        out = HKDF(rk, secret + q, b"WS1/ratchet" + self.sid, 96)
        return out[:32], out[32:64], out[64:]

    def begin_chain(self, draw):
        """The sending half of a DH step."""
        self.own, q = draw(32), b""
        if not self.a and (self.round == 0 or self.q):
            q, self.q = self.q or b"", None
            self.round, self.seed = self.round + 1, draw(64)
        self.rk, chain, following = self.step(self.rk, DH(self.own, self.other), q)
        self.sending = (self.next_sending, chain, bool(q))
        self.next_sending = following
        self.previous, self.sent, self.due = self.sent, 0, False

    def seal(self, kind, sent_at, data, place, draw, nonce=None):
        if self.due:
            self.begin_chain(draw)
        block, flag = self.block(kind)
        header_key, chain, mixed = self.sending
        message_key, chain = HMAC(chain, b"\x01"), HMAC(chain, b"\x02")
        self.sending = header_key, chain, mixed
        salt = draw(16)
        header = X(self.own) + u32(self.previous) + u32(self.sent) + bytes([flag | mixed])
        key, header_nonce = header_key_material(header_key, salt, place)
        sealed_header = seal(key, header_nonce, self.sid, header)
        size = self.size(kind, data)
        text = (body(kind, sent_at, data) + block).ljust(size - 3 - 89, b"\0")
        key, body_nonce = body_key_material(message_key, salt)
        packet = salt + sealed_header + seal(key, body_nonce, self.sid + header, text)
        name = mid(header_key, self.sent, salt)
        self.sent += 1
        self.last = {"mk": message_key, "hdr_ct": sealed_header, "packet": packet}
        sealed = self.wrap(header_key, place, packet, nonce or (lambda: draw(12)))
        return topic(header_key, *place), name, sealed

    def block(self, kind):
        if kind == 4:
            return b"", 0
        if self.a:
            return (u32(self.round) + self.answer[0], 4) if self.answer else (b"", 0)
        return (u32(self.round) + ek_of(self.seed), 2) if self.seed else (b"", 0)

    @staticmethod
    def size(kind, data):
        if kind in (0, 3):
            return class_of(len(data))
        if kind == 5:
            return class_of(len(data))
        if kind == 6:
            return class_of(len(data) - 9)
        return 2048

    @staticmethod
    def wrap(header_key, place, packet, nonce):
        """The v6 envelope, drawn again until it begins with a valid x."""
        raw, key = b"\x02" + struct.pack("<H", len(packet)) + packet, envelope_key(header_key, place[0])
        while True:
            drawn = nonce()
            data = AESGCM(key).encrypt(drawn, raw, None) + drawn
            if lift_x(data[:32]):
                return data

    def open(self, data, place, draw):
        """(kind, data) of a message, or None."""
        for header_key in [*reversed(self.receiving), self.next_receiving]:
            key = envelope_key(header_key, place[0])
            try:
                packet = AESGCM(key).decrypt(data[-12:], data[:-12], None)[3:]
            except Exception:
                continue
            return self.read(header_key, packet, place, draw)
        return None

    def read(self, header_key, packet, place, draw):
        salt, sealed_header, sealed_body = packet[:16], packet[16:73], packet[73:]
        key, nonce = header_key_material(header_key, salt, place)
        header = unseal(key, nonce, self.sid, sealed_header)
        R, previous, number, flags = header[:32], *struct.unpack(">IIB", header[32:])
        if header_key == self.next_receiving:
            self.turn(R, previous, flags & 1)
        chain = self.receiving[header_key]
        assert chain[:2] == [R, flags & 1]
        self.skip(chain, number + 1)
        message_key = chain[4].pop(number, None)
        if message_key is None:
            return None
        key, nonce = body_key_material(message_key, salt)
        text = unseal(key, nonce, self.sid + header, sealed_body)
        kind, length = text[0], int.from_bytes(text[5:9], "big")
        rest = text[9 + length :]
        if flags & 6:
            block, rest = rest[: 1188 if flags & 2 else 1092], rest[1188 if flags & 2 else 1092 :]
            self.take(block, draw)
        assert not any(rest)
        return kind, text[9 : 9 + length]

    @staticmethod
    def skip(chain, until):
        while chain[3] < until:
            chain[4][chain[3]] = HMAC(chain[2], b"\x01")
            chain[2], chain[3] = HMAC(chain[2], b"\x02"), chain[3] + 1

    def turn(self, R, previous, mixed):
        """The receiving half of a DH step."""
        if self.receiving:
            self.skip(list(self.receiving.values())[-1], previous)
        q = b""
        if mixed:
            q, self.answer, self.round = self.answer[1], None, self.round + 1
        self.rk, chain, following = self.step(self.rk, DH(self.own, R), q)
        self.receiving[self.next_receiving] = [R, mixed, chain, 0, {}]
        self.other, self.next_receiving, self.due = R, following, True

    def take(self, block, draw):
        """A KEM block: it is used once, in its round."""
        number, value = int.from_bytes(block[:4], "big"), block[4:]
        if number != self.round:
            return
        if self.a and not self.answer:
            ct, secret = encaps(value, draw(32))
            self.answer = ct, secret + H(b"WS1/kem", u32(number), value, ct)
        elif not self.a and self.seed:
            ek = ek_of(self.seed)
            self.q = decaps(self.seed, value) + H(b"WS1/kem", u32(number), ek, value)
            self.seed = None
