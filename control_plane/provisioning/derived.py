"""Secrets that a deployment's program and the platform both derive from the deployment's seed."""

import base64
import hashlib
import hmac

#: For what a workload shows to the platform when it reports what it used.
PLATFORM = "platform"
#: How a workload's token begins; its deployment's id and, after a dot, its key follow.
TOKEN = "bwl_"  # noqa: S105 - a beginning, no token


def derive(seed: str, purpose: str) -> str:
    """The same as ``derive`` of every blueprint's ``platform_context.py``.

    HMAC-SHA256 of the purpose under the seed, in base 64, with one character of each class in
    front for password rules.
    """
    mac = hmac.new(seed.encode(), purpose.encode(), hashlib.sha256).digest()
    return "Bo1-" + base64.urlsafe_b64encode(mac).decode().rstrip("=")
