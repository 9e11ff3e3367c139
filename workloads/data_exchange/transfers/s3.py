"""Segments in a bucket of a store that speaks S3; ``docs/decisions/0240`` says by which client."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from workloads.data_exchange.transfers.model import SEGMENT_BYTES
from workloads.data_exchange.transfers.ports import Missing, StoreFailed

#: What is not larger is sent at once.
_PART_BYTES = 2 * SEGMENT_BYTES
_ABSENT = {"NoSuchKey", "NoSuchObject"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is.

    Attributes:
        endpoint: ``https://host[:port]``.
        prefix: before every key; empty or with a slash at its end.
    """

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    prefix: str = ""

    def __repr__(self) -> str:
        return f"Bucket({self.endpoint!r}, {self.name!r})"


class S3Store:
    """A bucket that exists; requests are signed (AWS Signature Version 4).

    A segment is one object: with at most 8 MiB it needs no multipart upload, nothing is left behind
    by one that broke off, and an answer means that the store has it.
    """

    def __init__(self, bucket: Bucket, *, seconds: float = 30.0) -> None:
        parts = urlsplit(bucket.endpoint)
        self._bucket, self._prefix = bucket.name, bucket.prefix
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5.0, read=seconds), maxsize=16,
            retries=urllib3.Retry(2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
            cert_reqs="CERT_REQUIRED",
        )  # fmt: skip
        self._client = Minio(
            parts.netloc, access_key=bucket.access_key, secret_key=bucket.secret_key,
            secure=parts.scheme == "https", region=bucket.region, http_client=pool,
        )  # fmt: skip

    def put(self, key: str, data: bytes) -> None:
        try:
            self._client.put_object(
                self._bucket, self._prefix + key, io.BytesIO(data), len(data), part_size=_PART_BYTES
            )
        except _ERRORS as error:
            raise _failed(error) from None

    def get(self, key: str) -> bytes:
        answer = None
        try:
            answer = self._client.get_object(self._bucket, self._prefix + key)
            return bytes(answer.data)
        except _ERRORS as error:
            raise _failed(error) from None
        finally:
            if answer is not None:
                answer.close()
                answer.release_conn()

    def delete(self, key: str) -> None:
        try:
            self._client.remove_object(self._bucket, self._prefix + key)
        except _ERRORS as error:
            if isinstance(failed := _failed(error), Missing):
                return
            raise failed from None

    def kept(self) -> Iterator[tuple[str, datetime]]:
        try:
            for one in self._client.list_objects(self._bucket, self._prefix, recursive=True):
                if one.object_name and not one.is_dir:
                    # Without a date it is never old, so never swept.
                    kept = one.last_modified or datetime.max.replace(tzinfo=UTC)
                    yield one.object_name.removeprefix(self._prefix), kept
        except _ERRORS as error:
            raise _failed(error) from None

    def free(self) -> int | None:
        return None

    def why_not(self) -> str:
        return ""


_ERRORS = (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError)


def _failed(error: Exception) -> StoreFailed:
    # The store's words may hold its addresses and keys: only their kind goes on.
    if isinstance(error, S3Error) and error.code in _ABSENT:
        return Missing("there is no such object")
    return StoreFailed(f"the object store failed: {type(error).__name__}")
