"""An OpenID Connect issuer on a loopback port: discovery, keys that rotate, and tokens."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

_Key = RSAKey | ECKey | OKPKey


class FakeIssuer:
    """Signs tokens and tells its keys.

    Attributes:
        url: what its tokens name as their issuer.
        asked: the paths that were asked for, in order.
        answers: other answers by path: a status and a body.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.keys: dict[str, _Key] = {}
        self.rotate("k1")

    def rotate(self, key_id: str, kind: str = "EC") -> None:
        """Begin to sign with a new key; the old ones are told no longer."""
        made: dict[str, Any] = {
            "EC": lambda: ECKey.generate_key("P-256"),
            "RSA": lambda: RSAKey.generate_key(2048),
            "OKP": lambda: OKPKey.generate_key("Ed25519"),
        }
        self.keys = {key_id: made[kind]()}

    def jwks(self) -> dict[str, Any]:
        keys = []
        for key_id, key in self.keys.items():
            keys.append({**key.as_dict(private=False), "kid": key_id, "use": "sig"})
        return {"keys": keys}

    def token(
        self,
        claims: Mapping[str, Any],
        *,
        header: Mapping[str, Any] | None = None,
        key: Any = None,
    ) -> str:
        """A token with these claims, signed with the newest key unless another is given."""
        key_id, newest = list(self.keys.items())[-1]
        algorithm = {"EC": "ES256", "RSA": "RS256", "OKP": "Ed25519"}[newest.key_type]
        head = {"typ": "JWT", "alg": algorithm, "kid": key_id, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        text = f"{_encoded(head)}.{_encoded({'iss': self.url, **claims})}"
        # By the algorithm itself: the library refuses to sign what is wrong on purpose.
        signature = JWSRegistry.algorithms[head["alg"]].sign(text.encode(), key or newest)
        return f"{text}.{_base64(signature)}"

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            about = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, json.dumps(about).encode()
        if path == "/keys":
            return 200, json.dumps(self.jwks()).encode()
        return 404, b"{}"


def _encoded(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextmanager
def serving() -> Iterator[FakeIssuer]:
    """An issuer that answers on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = issuer.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "/keys")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = FakeIssuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
