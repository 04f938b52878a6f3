"""How a page and the server prove to each other that they know a link's secret, which neither sends.

The secret stands behind the # of the link, which browsers do not send. Each server process draws a random word, `boot`, and
makes a key of it and the secret. A page asks what `boot` is and sends a random word of its own; only who has the key can sign
that. Then the page signs its requests, with the key of that process alone. Whoever takes the port when the process has ended
cannot prove anything, and what is sent to it, or kept by the browser, is worth nothing to a server that comes back.

Both sides compute HMAC-SHA256; the page by itself, since browsers lend theirs only to https and to addresses of this machine.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict

from hpo.serve.wire import encoded

SCHEME = "HPO-HMAC-SHA256"
"""Of the Authorization header of a signed request: the scheme, then its time, a random word, and the signature."""
WINDOW = 60.0
"""Seconds by which a request's time may differ from the server's; in twice that none is taken a second time."""
_SIGNED = re.compile(rf"{SCHEME} ([0-9]{{1,12}}\.[0-9]{{1,6}}) ([0-9a-f]{{32}}) ([0-9a-f]{{64}})")
_NONCE = re.compile(r"[0-9a-f]{32}")


def mac(key: str, *parts: str) -> str:
    """A signature, in hexadecimal digits. No part may have a line break in it."""
    return hmac.new(key.encode(), "\n".join(parts).encode(errors="replace"), hashlib.sha256).hexdigest()


class Keys:
    """The secrets of a server's links, and the keys that this process has made of them.

    Args:
        look: the secret of the link that looks.
        steer: of the one that steers, too; None: there is none.
    """

    def __init__(self, look: str, steer: str | None = None) -> None:
        self.boot = secrets.token_hex(16)
        self._secrets = {look: False} if steer is None else {look: False, steer: True}
        self._keys = [(mac(secret, "hpo serve", self.boot), steers) for secret, steers in self._secrets.items()]
        self.steerable = steer is not None
        """Is there a link that steers?"""
        self._seen: OrderedDict[str, float] = OrderedDict()

    def greeting(self, nonce: str, host: str) -> bytes | None:
        """The proof that this process knows the secrets, that of the link that looks first.

        Args:
            nonce: 32 hexadecimal digits that a page has drawn; None is returned for anything else.
            host: by which the page calls this server: a proof for one is none for another, that would pass it on.
        """
        if not _NONCE.fullmatch(nonce):
            return None
        proofs = [mac(key, "server", nonce, host) for key, _ in self._keys]
        return encoded({"boot": self.boot, "now": time.time(), "proofs": proofs})

    def bearer(self, given: str) -> bool | None:
        """Whether who sends a secret itself may steer; None: it is no secret of ours."""
        found = None
        for secret, steers in self._secrets.items():
            if hmac.compare_digest(given.encode(errors="replace"), secret.encode()):
                found = steers
        return found

    def signer(self, authorization: str, method: str, host: str, target: str, body: bytes) -> bool | None:
        """Whether who has signed a request may steer; None: it is not signed, too late, or not the first of its kind.

        Args:
            authorization: the header.
            method: of the request.
            host: by which it calls this server.
            target: path and query, as they were sent.
            body: all of it.
        """
        if (signed := _SIGNED.fullmatch(authorization)) is None:
            return None
        at, nonce, signature = signed.groups()
        now = time.time()
        if abs(now - float(at)) > WINDOW or nonce in self._seen:
            return None
        digest = hashlib.sha256(body).hexdigest()
        for key, steers in self._keys:
            if hmac.compare_digest(signature, mac(key, "page", method, host, target, at, nonce, digest)):
                self._remember(nonce, now)
                return steers
        return None

    def _remember(self, nonce: str, now: float) -> None:
        """Only what was signed rightly is remembered: strangers cannot fill the memory."""
        self._seen[nonce] = now
        while now - next(iter(self._seen.values())) > 2 * WINDOW:
            self._seen.popitem(last=False)
