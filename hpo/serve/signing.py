"""Mutual proof, by page and server, that they know a link's secret, which neither of them sends.

The secret stands behind the # of the link, which browsers do not send. Each server process draws a random text, `boot`, and
derives a key from it and the secret. A page asks for `boot` and sends a random text of its own, which only a holder of the
key can sign. Then the page signs its requests with the key of that one process. A program that takes the port after the
process has ended cannot prove anything, and what it receives, or what the browser keeps, is worthless to a server that
comes back.

Both sides compute HMAC-SHA256. The page has its own implementation, since browsers offer theirs only over https and on
addresses of this machine.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict

from hpo.serve.wire import encoded

SCHEME = "HPO-HMAC-SHA256"
"""Scheme in the Authorization header of a signed request; a time, a random text and the signature follow it."""
WINDOW = 60.0
"""Seconds by which a request's time may differ from the server's; for twice as long no request is accepted a second time."""
_SIGNED = re.compile(rf"{SCHEME} ([0-9]{{1,12}}\.[0-9]{{1,6}}) ([0-9a-f]{{32}}) ([0-9a-f]{{64}})")
_NONCE = re.compile(r"[0-9a-f]{32}")


def mac(key: str, *parts: str) -> str:
    """Return the signature of some texts as hexadecimal digits. No text may contain a line break."""
    return hmac.new(key.encode(), "\n".join(parts).encode(errors="replace"), hashlib.sha256).hexdigest()


class Keys:
    """The secrets of a server's links, and the keys that this process derives from them.

    Args:
        look: Secret of the link that only looks.
        steer: Secret of the link that also steers; None: there is none.
    """

    def __init__(self, look: str, steer: str | None = None) -> None:
        self.boot = secrets.token_hex(16)
        self._secrets = {look: False} if steer is None else {look: False, steer: True}
        self._keys = [(mac(secret, "hpo serve", self.boot), steers) for secret, steers in self._secrets.items()]
        self.steerable = steer is not None
        """Whether the server has a link for steering."""
        self._seen: OrderedDict[str, float] = OrderedDict()

    def greeting(self, nonce: str, host: str) -> bytes | None:
        """Return the proof that this process knows the secrets, the one of the link that looks first.

        Args:
            nonce: 32 hexadecimal digits that a page has drawn; for anything else None is returned.
            host: Name by which the page calls this server, so that another server cannot pass the proof on as its own.
        """
        if not _NONCE.fullmatch(nonce):
            return None
        proofs = [mac(key, "server", nonce, host) for key, _ in self._keys]
        return encoded({"boot": self.boot, "now": time.time(), "proofs": proofs})

    def bearer(self, given: str) -> bool | None:
        """Return whether the sender of a secret may steer, or None if it is not one of this server's secrets."""
        found = None
        for secret, steers in self._secrets.items():
            if hmac.compare_digest(given.encode(errors="replace"), secret.encode()):
                found = steers
        return found

    def signer(self, authorization: str, method: str, host: str, target: str, body: bytes) -> bool | None:
        """Return whether the signer of a request may steer, or None if it is not signed, too old, or was sent before.

        Args:
            authorization: Authorization header of the request.
            method: HTTP method of the request.
            host: Name by which the request calls this server.
            target: Path and query, as they were sent.
            body: Complete body of the request.
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
        """Remember a correctly signed request so that it is not accepted again. Strangers cannot fill this memory."""
        self._seen[nonce] = now
        while now - next(iter(self._seen.values())) > 2 * WINDOW:
            self._seen.popitem(last=False)
