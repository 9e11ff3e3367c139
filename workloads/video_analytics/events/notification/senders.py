"""Web-hooks and mail, without trusting names or servers.

A name may lead into the city's own network (server-side request forgery), answer for ever, or lead
elsewhere between being looked at and being asked. So: the name is resolved once, every address must
be a public one unless the settings name the host, the connection goes to that very address,
redirects are not followed, and size and time are limited.
"""

import contextlib
import functools
import http.client
import ipaddress
import json
import smtplib
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from foundation.kernel import canonical
from foundation.kernel.deadline import Exchange
from foundation.kernel.secretbox import SecretBox, SecretError
from workloads.video_analytics.events.notification.model import Delivery, Receiver, signature
from workloads.video_analytics.events.notification.ports import Refused
from workloads.video_analytics.events.notification.service import secret_context

_SECONDS = 10.0
_READ_BYTES = 4096
_OK = range(200, 300)
_MOVED = range(300, 400)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address behind a translator
_TLS_PORT = 443


class WebHooks:
    """Posts deliveries, signed as Standard Webhooks say.

    Args:
        secrets: opens the receivers' secrets.
        private_hosts: names that may lie on private addresses, and on this machine; those may also
            be asked by http.
        seconds: the longest time for one attempt.
    """

    def __init__(
        self, secrets: SecretBox, private_hosts: Collection[str] = (), seconds: float = _SECONDS
    ) -> None:
        self._secrets, self._seconds = secrets, seconds
        self._trusted = frozenset(h.strip().lower() for h in private_hosts if h.strip())

    def send(self, receiver: Receiver, delivery: Delivery, now: datetime) -> None:
        body = json.dumps(canonical.plain(delivery.body), ensure_ascii=False).encode()
        try:
            secret = self._secrets.open(receiver.sealed, secret_context(receiver.id)).decode()
        except SecretError as error:
            raise Refused(f"its secret does not open: {error}") from None
        stamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": "borough-video",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(secret, delivery.id, stamp, body),
        }
        try:
            status = self._post(receiver.target, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Refused(_said(error)) from None
        if status in _MOVED:
            raise Refused(f"it answered {status}: redirects are not followed")
        if status not in _OK:
            raise Refused(f"it answered {status}")

    def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        parts = urlsplit(url)
        address, port = self._address(parts.scheme, parts.hostname or "", parts.port)
        exchange = Exchange(url, self._seconds)
        try:
            with exchange:
                reached = socket.create_connection((address, port), timeout=self._seconds)
                with exchange.ask(reached, "POST", headers, body) as answer:
                    answer.read(_READ_BYTES)
        except (OSError, http.client.HTTPException):
            if exchange.over:
                raise TimeoutError("it did not answer in time") from None
            raise
        return answer.status

    def _address(self, scheme: str, host: str, port: int | None) -> tuple[str, int]:
        """Where to connect to: an address that was looked at.

        Raises:
            ValueError: it is not one that may be asked.
        """
        trusted = host.lower() in self._trusted
        if scheme != "https" and not (scheme == "http" and trusted):
            raise ValueError("it is no https address")
        number = port or (_TLS_PORT if scheme == "https" else 80)
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not addresses:
            raise ValueError("the name has no address")
        if not trusted and not all(_public(address) for address in addresses):
            raise ValueError("the name leads to an address that is not public")
        return str(addresses[0]), number


@functools.cache
def _authorities() -> ssl.SSLContext:
    # Reading the authorities takes a while: only who sends by TLS pays.
    return ssl.create_default_context()


def _check_here(host: str) -> None:
    if not ipaddress.ip_address(socket.gethostbyname(host)).is_loopback:
        raise ValueError("without TLS it must be on this machine")


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return str(error) or type(error).__name__


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _public(inner)
    return address.is_global and not address.is_multicast


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The city's mail server; without a host no mail is sent.

    Attributes:
        security: ``tls`` from the beginning, ``starttls``, or ``none``, which only a server on this
            machine may be asked with.
    """

    host: str = ""
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = ""
    sender: str = ""


class Mail:
    """Sends deliveries by SMTP (RFC 5321) under TLS.

    Args:
        settings: the server.
        context: how servers are verified; None: by the machine's authorities.
    """

    def __init__(self, settings: MailSettings, context: ssl.SSLContext | None = None) -> None:
        self._settings, self._context = settings, context

    def send(self, receiver: Receiver, delivery: Delivery, now: datetime) -> None:
        if not self._settings.host:
            raise Refused("no mail server is configured")
        try:
            with contextlib.closing(self._server()) as server:
                server.send_message(self._message(receiver, delivery, now))
                with contextlib.suppress(smtplib.SMTPException):
                    server.quit()
        except smtplib.SMTPResponseException as error:
            raise Refused(f"the mail server answered {error.smtp_code}") from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise Refused(f"the mail server: {_said(error)}") from None

    def _server(self) -> smtplib.SMTP:
        at = self._settings
        context = self._context or _authorities()
        server: smtplib.SMTP
        if at.security == "tls":
            server = smtplib.SMTP_SSL(at.host, at.port, timeout=_SECONDS, context=context)
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=_SECONDS)
        try:
            if at.security == "starttls":
                server.starttls(context=context)
            elif at.security != "tls":
                _check_here(at.host)
            if at.user:
                server.login(at.user, at.password)
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, receiver: Receiver, delivery: Delivery, now: datetime) -> EmailMessage:
        said: dict[str, Any] = dict(delivery.body.get("data", {}))
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = receiver.target
        message["Date"] = format_datetime(now)
        # The same however often it is sent: mailboxes drop what they have.
        message["Message-ID"] = f"<{delivery.id}@borough-video>"
        message["References"] = f"<{delivery.event_id}@borough-video>"
        camera = said.get("camera", {}).get("name", "")
        subject = f"[{said.get('severity')}] {said.get('kind')} {delivery.change}: {camera}"
        message["Subject"] = " ".join(subject.split())
        lines = [f"{name}: {said.get(name)}" for name in ("id", "kind", "severity", "state",
                 "department", "began", "at", "ended_at", "verdict")]  # fmt: skip
        lines.append(f"camera: {camera} ({said.get('camera', {}).get('id')})")
        rule = said.get("rule", {})
        lines.append(f"rule: {rule.get('name')} ({rule.get('id')}, version {rule.get('version')})")
        message.set_content("\n".join(lines) + "\n")
        return message
