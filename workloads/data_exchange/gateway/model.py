"""What the gateway decides about: calls, providers, and why something is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: How far the consumer's clock may be off, and for how long a signed request may be sent.
WINDOW = timedelta(seconds=60)
#: For how long terms are relied on without having been read again.
FRESH_SECONDS = 5.0
#: What is buffered at most: a request, and an answer of records. Files are streamed.
REQUEST_BYTES = 1_048_576
ANSWER_BYTES = 16_777_216


class Refusal(Exception):
    """A call that is not let through; its answer is all that the caller learns.

    Attributes:
        status: of HTTP.
        code: a stable word for machines; also what the receipt says, after ``refused:``.
        detail: a sentence for people, without anything of the provider or of our insides.
        retry_after: seconds, when the same call may succeed later.
        challenge: the error of a DPoP challenge (RFC 9449, 7.1), if it is one.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: int = 0, challenge: str = ""
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.retry_after, self.challenge = retry_after, challenge


@dataclass(frozen=True, slots=True)
class Provider:
    """How the interface behind a service is asked.

    Attributes:
        service: its id, as terms name it.
        endpoint: ``http(s)://host[:port][/path]``, below which its paths lie.
        methods: what may be asked.
        paths: each with a slash first; ``{name}`` stands for one segment.
        headers: sent with each call: the credentials; never shown, never logged.
        records: where the records stand in an answer (RFC 6901).
        raw: its answers are no records but files or pictures, handed through as they come.
        connect_seconds, read_seconds: how long is waited.
        cache_seconds: for how long an answer may be given again; 0: not at all.
        repeatable: whether a call may be made twice without harm.
    """

    service: str
    endpoint: str
    methods: tuple[str, ...] = ("GET",)
    paths: tuple[str, ...] = ("/",)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    records: str = ""
    raw: bool = False
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    cache_seconds: int = 0
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token lets its holder do.

    Attributes:
        id: ``jti``.
        agreement: its id.
        consumer: the agency's path (``sub``).
        key: thumbprint of the key that requests must be signed with (``cnf.jkt``).
        expires: when it ends.
        digest: of the token, as proofs name it (``ath``).
        purposes: for which it may be used.
    """

    id: str
    agreement: str
    consumer: str
    key: str
    expires: datetime
    digest: str
    purposes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a consumer signed about one request.

    Attributes:
        text: the DPoP proof itself.
        nonce: its ``jti``.
        issued: when it was signed.
        purpose: for what the data is asked.
    """

    text: str
    nonce: str
    issued: datetime
    purpose: str
