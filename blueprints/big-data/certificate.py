"""A TLS certificate of a deployment's own, made from its seed: the same on every run.

It signs itself, with a key on the curve P-256 and deterministic signatures (RFC 6979), so that a
second run changes nothing. (Not Ed25519: clients of PostgreSQL before 18 cannot bind their channel
to such a certificate.) Clients trust it by the ``ca_certificate`` output. It says its limits:
whoever wants a certificate of the city's own authority puts a proxy or a mesh in front.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from platform_context import Context

#: The times are fixed, or every run would make another certificate.
_FROM = datetime(2026, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2046, 1, 1, tzinfo=UTC)
#: Of P-256's base point (SEC 2, section 2.4.2).
_ORDER = 2**256 - 2**224 + 2**192 - 0x4319055258E8617B0C46353D039CDAAF


def pair(context: Context, hosts: Sequence[str]) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """Return a certificate and its key in PEM form, both as secrets.

    Args:
        context: of the deployment.
        hosts: the names that it is valid for; the first is also its subject.
    """
    both = context.derive("tls").apply(lambda secret: _make(secret, hosts))
    return both.apply(lambda b: b[0]), both.apply(lambda b: b[1])


def _make(secret: str, hosts: Sequence[str]) -> tuple[str, str]:
    seed = hmac.new(secret.encode(), b"p-256", hashlib.sha384).digest()
    # From 1 to the order less 1; 128 bits more than needed, so that no number is likelier.
    key = ec.derive_private_key(int.from_bytes(seed) % (_ORDER - 1) + 1, ec.SECP256R1())
    # A common name holds 64 characters (RFC 5280, ub-common-name).
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0][:64])])
    serial = int.from_bytes(hashlib.sha256(repr(list(hosts)).encode() + seed).digest()[:16]) >> 1
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return (
        made.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
