"""
Encrypted files: 16 bytes of IV, AES-256-CTR, and 16 bytes of Poly1305-AES.

A key has 64 bytes, as scrypt returns them: 32 for encryption, 16 for the AES of the MAC, 16 for
its Poly1305.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

KEY_SIZE = 64

# Bytes that encryption adds to the content.
OVERHEAD = 32

_IV_SIZE = _MAC_SIZE = 16


class DecryptionError(ValueError):
    """The file is truncated or altered, or was encrypted with another key."""


class Decryptor:
    """
    Decrypts files with one ``key``.

    Use it in one thread at a time. It holds expanded keys: make one for some files, then
    drop it.
    """

    def __init__(self, key: bytes) -> None:
        encrypt, mac_k, self._mac_r = key[:32], key[32:48], key[48:64]
        # Setting another IV costs a tenth of a new context.
        self._decrypt = Cipher(AES(encrypt), CTR(bytes(_IV_SIZE))).decryptor()
        self._mask = Cipher(AES(mac_k), ECB()).encryptor()  # noqa: S305 - of one block, for Poly1305

    def open(self, sealed: bytes) -> bytes:
        """
        Check the MAC of a file, and return its content.

        :raises DecryptionError: the MAC is wrong.
        """
        if len(sealed) < OVERHEAD:
            raise DecryptionError("file too short")
        iv, text, mac = sealed[:_IV_SIZE], sealed[_IV_SIZE:-_MAC_SIZE], sealed[-_MAC_SIZE:]
        try:
            Poly1305.verify_tag(self._mac_r + self._mask.update(iv), text, mac)
        except InvalidSignature:
            raise DecryptionError("wrong MAC: altered, or made with another key") from None
        self._decrypt.reset_nonce(iv)
        return self._decrypt.update(text)
