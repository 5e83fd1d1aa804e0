"""What spec/session.md, 3.1, is made of, from libraries that share no code with the Rust crates."""

import hashlib
import hmac
import struct

from coincurve import PrivateKey, PublicKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from kyber_py.ml_kem import ML_KEM_768

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
Z12 = bytes(12)


def u32(number):
    return struct.pack(">I", number)


def u64(number):
    return struct.pack(">Q", number)


def H(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def HMAC(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def HKDF(salt, ikm, info, length):
    key, block, out = HMAC(salt, ikm), b"", b""
    while len(out) < length:
        block = HMAC(key, block, info, bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def seal(key, nonce, associated, text):
    return ChaCha20Poly1305(key).encrypt(nonce, text, associated)


def unseal(key, nonce, associated, data):
    """The plaintext, or None."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, data, associated)
    except InvalidTag:
        return None


def lift_x(x):
    """The point with this x and an even y, or None."""
    try:
        return PublicKey(b"\x02" + x)
    except ValueError:
        return None


def full(secret):
    return PrivateKey(secret).public_key.format(compressed=True)


def X(secret):
    return full(secret)[1:]


def DH(secret, x):
    return lift_x(x).multiply(secret).format(compressed=True)[1:]


def sign(secret, digest):
    return PrivateKey(secret).sign_recoverable(digest, hasher=None)[:64]


def verifies(identity, digest, signature):
    """ECDSA written out: r and s in 1..n, s not high."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s <= N // 2):
        return False
    inverse = pow(s, -1, N)
    factors = [int.from_bytes(digest, "big") * inverse % N, r * inverse % N]
    base = PrivateKey((1).to_bytes(32, "big")).public_key
    terms = [point.multiply(factor.to_bytes(32, "big"))
             for point, factor in zip([base, PublicKey(identity)], factors) if factor]
    try:
        x = int.from_bytes(PublicKey.combine_keys(terms).format()[1:], "big")
    except ValueError:  # infinity
        return False
    return x % N == r


def ek_of(seed):
    return ML_KEM_768.key_derive(seed)[0]


def encaps(ek, coin):
    """(ct, secret)"""
    secret, ct = ML_KEM_768._encaps_internal(ek, coin)
    return ct, secret


def decaps(seed, ct):
    return ML_KEM_768.decaps(ML_KEM_768.key_derive(seed)[1], ct)


def valid_ek(ek):
    """FIPS 203, 7.2."""
    pairs = zip(ek[0:1152:3], ek[1:1152:3], ek[2:1152:3])
    return len(ek) == 1184 and all(
        a | (b & 15) << 8 < 3329 and b >> 4 | c << 4 < 3329 for a, b, c in pairs)


def label(name):
    """The secrets of Appendix C."""
    return H(b"WS1-KAT/", name.encode())


def seed_label(name):
    return label(name + "0") + label(name + "1")
