"""`hashlib.pbkdf2_hmac`, which CPython leaves to OpenSSL."""

import hashlib
import hmac


def pbkdf2_hmac(hash_name, password, salt, iterations, dklen=None):
    """Password based key derivation function 2 (PKCS #5 v2.0, RFC 8018 section 5.2) with HMAC as pseudorandom function."""
    if not isinstance(hash_name, str):
        raise TypeError(f"pbkdf2_hmac() argument 'hash_name' must be str, not {type(hash_name).__name__}")
    password, salt = bytes(memoryview(password)), bytes(memoryview(salt))
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    keyed = hmac.new(password, digestmod=hash_name)
    size = keyed.digest_size
    if dklen is None:
        dklen = size
    if dklen < 1:
        raise ValueError("key length must be greater than 0.")

    def digest(message):
        copy = keyed.copy()
        copy.update(message)
        return copy.digest()

    derived = b""
    for block in range(1, -(-dklen // size) + 1):
        link = digest(salt + block.to_bytes(4, "big"))
        total = int.from_bytes(link, "big")
        for _ in range(iterations - 1):
            link = digest(link)
            total ^= int.from_bytes(link, "big")
        derived += total.to_bytes(size, "big")
    return derived[:dklen]


def install():
    hashlib.pbkdf2_hmac = pbkdf2_hmac
    pbkdf2_hmac.__module__ = "hashlib"
    hashlib.__all__ += ("pbkdf2_hmac",)
