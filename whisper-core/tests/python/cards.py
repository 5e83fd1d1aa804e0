"""Certificates, cards, their texts and safety numbers: spec/session.md, 3.2 and 3.13."""

import base64
import hashlib
import re

from coincurve import PublicKey

from primitives import H, HKDF, HMAC, lift_x, u64, valid_ek, verifies

BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


class Refused(Exception):
    """Its text is the name of the error."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        if self.at + length > len(self.data):
            raise Refused("Length")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def x(self, error):
        x = self.take(32)
        if lift_x(x) is None:
            raise Refused(error)
        return x

    def id(self):
        number = self.number(4)
        if number == 0:
            raise Refused("ZeroId")
        return number

    def dates(self, longest):
        start, end = self.number(4), self.number(4)
        if end < start:
            raise Refused("Dates")
        if longest and end - start > longest:
            raise Refused("TooLong")
        return start, end

    def rest(self):
        return self.data[self.at :]


class Cert:
    def __init__(self, reader):
        start = reader.at
        if reader.number(1) != 1:
            raise Refused("Version")
        self.identity = reader.take(33)
        if self.identity[0] not in (2, 3) or lift_x(self.identity[1:]) is None:
            raise Refused("Identity")
        self.D = reader.x("LongTermKey")
        self.dates = reader.dates(None)
        self.signed = reader.data[start : reader.at]
        self.signature = reader.take(64)

    def check(self):
        if not verifies(self.identity, H(b"WS1/cert/v1", self.signed), self.signature):
            raise Refused("CertSignature")


class Card:
    """A whole card, or a short one."""

    def __init__(self, reader, short=False):
        self.cert = Cert(reader)
        self.P, self.id = reader.x("Prekey"), reader.id()
        self.dates = reader.dates(14 * 86400)
        self.flags = reader.number(1)
        if self.flags & 0xF0:
            raise Refused("Reserved")
        head = reader.data[: reader.at]
        kem = reader.take(32 if short else 1184)
        if not short and not valid_ek(kem):
            raise Refused("KemKey")
        self.K, self.hash = (None, kem) if short else (kem, H(kem))
        start = reader.at
        self.O = (reader.x("OneTimeKey"), reader.id()) if self.flags & 1 else None
        self.groups = bool(self.flags & 8) and self.extensions(reader)
        behind = reader.data[start : reader.at]
        self.signature = reader.take(64)
        self.digest = H(b"WS1/card/v1", head, self.hash, behind)

    @staticmethod
    def extensions(reader):
        length = reader.number(2)
        if not 3 <= length <= 512:
            raise Refused("Extensions")
        entries, last, groups = reader.take(length), -1, False
        while entries:
            kind, size = entries[0], int.from_bytes(entries[1:3], "big")
            if len(entries) < 3 + size or len(entries) < 3 or kind <= last:
                raise Refused("Extensions")
            value, entries, last = entries[3 : 3 + size], entries[3 + size :], kind
            if kind == 1:
                if not value:
                    raise Refused("Extensions")
                groups = bool(value[0] & 1)
        return groups

    def check(self):
        keys = [self.cert.D, self.P] + ([self.O[0]] if self.O else [])
        if len(set(keys)) < len(keys):
            raise Refused("SameKeys")
        self.cert.check()
        if not verifies(self.cert.identity, self.digest, self.signature):
            raise Refused("CardSignature")


def end(reader):
    if reader.rest():
        raise Refused("Length")


def read(form, data, identity=None):
    """Reads one of the forms, or raises Refused."""
    reader = Reader(data)
    if form == "cert":
        value = Cert(reader)
        end(reader)
    elif form == "tail":
        if data[138 + 44] & 9:
            raise Refused("Reserved")
        value = Card(reader, short=True)
        end(reader)
    elif form == "public":
        if len(data) != 2045:
            raise Refused("Length")
        value = Card(reader)
        if any(reader.rest()):
            raise Refused("Length")
        value.check()
        if value.O:
            raise Refused("OneTimeKey")
        if value.cert.identity != identity:
            raise Refused("Identity")
    else:
        value = Card(reader, short=form == "short")
        end(reader)
    value.check()
    return value


def base45_decode(text):
    out = b""
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        if len(group) == 1 or any(letter not in BASE45 for letter in group):
            raise Refused("Damaged")
        value = sum(BASE45.index(letter) * 45**place for place, letter in enumerate(group))
        if value >= 1 << 8 * (len(group) - 1):
            raise Refused("Damaged")
        out += value.to_bytes(len(group) - 1, "big")
    return out


def base45_encode(data):
    out = ""
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        out += "".join(BASE45[value // 45**place % 45] for place in range(len(pair) + 1))
    return out


def base64_decode(text):
    if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise Refused("Damaged")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise Refused("Damaged")
    return data


def from_text(text):
    """The bytes of a card, checked."""
    if text.startswith("wsc1:"):
        data = base64_decode(text[5:])
    elif text.startswith("WSC1:"):
        data = base45_decode(text[5:])
    else:
        raise Refused("NotACard")
    try:
        read("card", data)
    except Refused as why:
        raise Refused(f"Card({why})") from why
    return data


def from_parts(texts):
    """The bytes of a card once all are there, else None."""
    name, slices = None, {}
    for text in texts:
        found = re.fullmatch("WSC1/([1-8])([1-8])/([0-9A-F]{8}):(.+)", text)
        if not found or found[1] > found[2]:
            raise Refused("Damaged")
        if name != (found[2], found[3]):
            name, slices = (found[2], found[3]), {}
        slices[int(found[1])] = found[4]
        if len(slices) == int(found[2]):
            parts = [slices[number] for number in sorted(slices)]
            uneven = any(len(part) != len(parts[0]) for part in parts[:-1])
            if uneven or len(parts[-1]) > len(parts[0]):
                raise Refused("Parts")
            data = base45_decode("".join(parts))
            if H(data)[:4].hex().upper() != found[3]:
                raise Refused("Parts")
            read("card", data)
            return data
    return None


def link(data):
    return "wsc1:" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def reference(identity):
    return "wsr1:" + base64.urlsafe_b64encode(identity).decode()


def public_card(identity, day):
    """Key and topic."""
    key = HKDF(b"WS1/pub", identity, b"", 32)
    return key, HMAC(key, b"WS1/topic", u64(day))[:4]


def safety_number(one, other):
    """Sixty digits, and what a QR code of them says."""
    def fingerprint(identity):
        state = b""
        for _ in range(5200):
            state = hashlib.sha512(state + b"WS1/fp" + identity).digest()
        groups = [int.from_bytes(state[at : at + 5], "big") % 100000 for at in range(0, 30, 5)]
        return "".join(f"{group:05}" for group in groups)
    low, high = sorted([one, other])
    digits = "".join(sorted(map(fingerprint, (low, high))))
    return digits, b"WSFP\x01" + H(low, high)


def identity_of(text):
    """The identity that a reference names."""
    return PublicKey(base64_decode(text.removeprefix("wsr1:"))).format()
