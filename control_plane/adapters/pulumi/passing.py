"""Which faults pass by themselves: the cloud is overloaded, restarts, or was cut off for a moment.

Only a cloud's words are at hand: what the providers make of its answers, and what the CLI says when
a provider dies. A quota, a refusal or a mistake in a request is none of them.
"""

import re

#: The cloud has answered, or never heard: nothing comes of the request later.
_ANSWERED = (
    # gophercloud's: an unexpected status, and its own sentences for some of them
    r"but got (?:408|429|498|5\d\d) instead",
    r"internal server error",
    r"bad gateway",
    r"temporary overloading or maintenance",
    r"too many requests",
    r"the server timed out waiting for the request",
    r"connection refused",
    r"no route to host",
    # Kubernetes
    r"cluster is unreachable",
    r"currently unable to handle the request",
    r"etcdserver:",
    r"the server was unable to return a response",
    r"HTTP status code 5\d\d",
)
#: Nobody knows whether the cloud has heard: it may still be at work on the request.
_UNANSWERED = (
    r"gateway timeout",
    r"but got 504 instead",
    r"OpenStack connection error",
    # the bridge's, when what was just made could not be read back
    r"expected non-nil error with nil state during Create",
    # connections, as Go says it
    r"connection reset",
    r"connection lost",
    r"broken pipe",
    r"\bEOF\b",
    r"i/o timeout",
    r"handshake timeout",
    r"timeout awaiting response",
    r"Client\.Timeout exceeded",
    r"server closed idle connection",
    # a provider's plugin that died
    r"code = Unavailable",
    r"transport is closing",
    r"plugin (?:has )?(?:exited|crashed)",
)
_PASSING = re.compile("|".join(_ANSWERED + _UNANSWERED), re.IGNORECASE)
_LOST = re.compile("|".join(_UNANSWERED), re.IGNORECASE)


def passes(error: str) -> bool:
    """Tell whether what a cloud said of a failure is likely to be over when it is tried again."""
    return bool(_PASSING.search(error))


def unanswered(error: str) -> bool:
    """Tell whether a cloud may still be at work on what failed so: its answer was lost."""
    return bool(_LOST.search(error))
