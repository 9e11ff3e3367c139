"""How a data service is called: the seam to the gateway.

The secret with which a provider is asked is no part of it: it is kept sealed beside the entry and
is given to the gateway alone (``service.Directory.credentials``).
"""

import base64
from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """What a service speaks."""

    REST = "rest"
    RTSP = "rtsp"
    HLS = "hls"
    MJPEG = "mjpeg"
    ONVIF = "onvif"

    @property
    def video(self) -> bool:
        """Whether it gives a picture of a camera rather than records."""
        return self is not Protocol.REST


#: How an endpoint's address begins.
SCHEMES = {
    Protocol.REST: ("https", "http"),
    Protocol.RTSP: ("rtsp",),
    Protocol.HLS: ("https", "http"),
    Protocol.MJPEG: ("https", "http"),
    Protocol.ONVIF: ("https", "http"),
}


class AuthenticationKind(StrEnum):
    """How the gateway shows a provider who it is."""

    NONE = "none"
    #: RFC 7617: name and password.
    BASIC = "basic"
    #: RFC 6750: the secret is a token.
    BEARER = "bearer"
    #: The secret is sent in a header of the provider's choice.
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a provider is asked.

    Attributes:
        username: for ``basic``.
        header: for ``header``.
    """

    kind: AuthenticationKind = AuthenticationKind.NONE
    username: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """How a service is called.

    Attributes:
        endpoint: its root, without a query (dcat:endpointURL).
        description: where it describes itself, such as an OpenAPI document, or empty.
        methods: what may be asked, such as GET.
        paths: below the endpoint, each with a slash first; ``{name}`` stands for one segment.
        records: where the records stand in an answer: an RFC 6901 pointer to an array or to one
            object; the empty pointer is the whole answer.
        answers: JSON Schema (2020-12) of an answer; empty: any JSON.
        connect_seconds, read_seconds: how long is waited for a connection, and for the answer.
        cache_seconds: for how long an answer may be given again; 0: not at all.
        repeatable: whether a call may be made twice without harm.
    """

    endpoint: str
    protocol: Protocol = Protocol.REST
    description: str = ""
    methods: tuple[str, ...] = ("GET",)
    paths: tuple[str, ...] = ("/",)
    records: str = ""
    answers: dict[str, object] | None = None
    authentication: Authentication = Authentication()
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    cache_seconds: int = 0
    repeatable: bool = True

    @property
    def format(self) -> str:
        """As a format of the directory: JSON of records, or what the video speaks."""
        return self.protocol.value.upper() if self.protocol.video else "JSON"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """With what a provider is asked; never shown, never logged.

    Attributes:
        secret: the password, token or value of the header.
    """

    authentication: Authentication
    secret: str

    def headers(self) -> dict[str, str]:
        """What is sent with each call of the provider."""
        known = self.authentication
        match known.kind:
            case AuthenticationKind.NONE:
                return {}
            case AuthenticationKind.BASIC:
                pair = f"{known.username}:{self.secret}".encode()
                return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            case AuthenticationKind.BEARER:
                return {"Authorization": f"Bearer {self.secret}"}
            case AuthenticationKind.HEADER:
                return {known.header: self.secret}
