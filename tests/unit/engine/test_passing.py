"""Which words of a cloud mean that it is worth trying again; as the real providers say them."""

import pytest

from control_plane.adapters.pulumi.passing import passes, unanswered

POST = "[POST http://127.0.0.1:9696/v2.0/networks]"


@pytest.mark.parametrize(
    "error",
    [
        "Error creating openstack_networking_network_v2: Internal Server Error",
        f"Expected HTTP response code [201 202] when accessing {POST}, but got 504 instead",
        (
            "The service is currently unable to handle the request due to a temporary "
            "overloading or maintenance. This is a temporary condition. Try again later."
        ),
        (
            "Too many requests have been sent in a given amount of time. Pause requests, wait "
            "up to one minute, and try again."
        ),
        (
            "OpenStack connection error, retries exhausted. Aborting. Last error was: dial tcp "
            "127.0.0.1:9696: connect: connection refused"
        ),
        'Post "http://127.0.0.1:9696/v2.0/networks": EOF',
        "read tcp 127.0.0.1:43210->127.0.0.1:9696: read: connection reset by peer",
        "configured Kubernetes cluster is unreachable: unable to load schema information",
        (
            "error reading from server: rpc error: code = Unavailable desc = error reading from "
            "server: EOF"
        ),
        "expected non-nil error with nil state during Create of urn:pulumi:x",
    ],
)
def test_what_is_over_soon(error: str) -> None:
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        f"Bad request with: {POST}, error message: overlaps with another subnet",
        f"Expected HTTP response code [201] when accessing {POST}, but got 409 instead",
        "Quota exceeded for instances: Requested 1, but already used 8 of 8 instances",
        "No valid host was found. There are not enough hosts available.",
        "Authentication failed",
        "Forbidden: User cannot create resource",
        "the server could not find the requested resource",
        "timed out waiting for the condition",
        "no more things",
        "",
    ],
)
def test_what_is_refused_for_good(error: str) -> None:
    assert not passes(error)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (f"Expected HTTP response code [201 202] when accessing {POST}, but got 504 instead", True),
        (
            f"Expected HTTP response code [201 202] when accessing {POST}, but got 503 instead",
            False,
        ),
        ("Internal Server Error", False),
        ('Post "http://127.0.0.1:9696/v2.0/networks": EOF', True),
        ("read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer", True),
        ("dial tcp 127.0.0.1:9696: connect: connection refused", False),
        ("rpc error: code = Unavailable desc = error reading from server", True),
        ("Quota exceeded for instances", False),
    ],
)
def test_after_what_a_cloud_may_still_be_at_work(error: str, lost: bool) -> None:  # noqa: FBT001
    assert unanswered(error) is lost
