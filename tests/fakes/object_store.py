"""An object store that speaks as much of S3 as segments need, and looks at signatures.

AWS Signature Version 4 (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
"""

import contextlib
import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET, ACCESS, SECRET, REGION = "segments", "access", "secret-of-tests", "us-east-1"
_PAGE = 3


@dataclass
class FakeObjectStore:
    """Objects in memory.

    Attributes:
        failing: the status that is answered instead; 0: none.
    """

    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    failing: int = 0
    url: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator["FakeObjectStore"]:
        """Answers on loopback until the end of the block."""
        store = self

        class Handler(_Handler):
            kept = store

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    kept: FakeObjectStore
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def _answer(self, status: int, body: bytes = b"", code: str = "") -> None:
        if code:
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _asked(self) -> tuple[str, bytes] | None:
        """The key and the body of a request that is signed; else it is answered."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.kept.failing:
            self._answer(self.kept.failing, code="InternalError")
            return None
        if not self._signed(body):
            self._answer(403, code="SignatureDoesNotMatch")
            return None
        _, bucket, key = [*urlsplit(self.path).path.split("/", 2), ""][:3]
        if bucket != BUCKET:
            self._answer(404, code="NoSuchBucket")
            return None
        return unquote(key), body

    def _signed(self, body: bytes) -> bool:
        given = self.headers.get("Authorization", "")
        if not given.startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/"):
            return False
        parts = dict(one.strip().split("=", 1) for one in given.split(" ", 1)[1].split(","))
        scope = parts["Credential"].split("/", 1)[1]
        names = parts["SignedHeaders"].split(";")
        said = self.headers.get("x-amz-content-sha256", "")
        if said not in {"UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()}:
            return False
        url = urlsplit(self.path)
        query = "&".join(
            f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}"
            for n, v in sorted(parse_qsl(url.query, keep_blank_values=True))
        )
        head = "".join(f"{n}:{' '.join(self.headers.get(n, '').split())}\n" for n in names)
        asked = "\n".join([self.command, url.path, query, head, ";".join(names), said])
        hashed = hashlib.sha256(asked.encode()).hexdigest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope, hashed])
        key = f"AWS4{SECRET}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        right = hmac.digest(key, to_sign.encode(), "sha256").hex()
        return hmac.compare_digest(right, parts["Signature"])

    def do_PUT(self) -> None:
        if (asked := self._asked()) is not None:
            self.kept.objects[asked[0]] = (asked[1], datetime(2026, 11, 1, tzinfo=UTC))
            self._answer(200)

    def do_GET(self) -> None:
        if (asked := self._asked()) is None:
            return
        if asked[0]:
            found = self.kept.objects.get(asked[0])
            if found is None:
                self._answer(404, code="NoSuchKey")
            else:
                self._answer(200, found[0])
            return
        query = dict(parse_qsl(urlsplit(self.path).query))
        after = query.get("continuation-token") or query.get("start-after") or ""
        keys = [
            one for one in sorted(self.kept.objects)
            if one > after and one.startswith(query.get("prefix", ""))
        ]  # fmt: skip
        page, more = keys[:_PAGE], len(keys) > _PAGE
        listed = "".join(
            f"<Contents><Key>{escape(one)}</Key><LastModified>2026-11-01T00:00:00.000Z"
            f"</LastModified><Size>{len(self.kept.objects[one][0])}</Size></Contents>"
            for one in page
        )
        after = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        self._answer(
            200,
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{BUCKET}'
            f"</Name><IsTruncated>{str(more).lower()}</IsTruncated>{after}{listed}"
            f"</ListBucketResult>".encode(),
        )

    def do_DELETE(self) -> None:
        if (asked := self._asked()) is not None:
            self.kept.objects.pop(asked[0], None)
            self._answer(204)
