"""Descriptions for tests, and people who write and review them."""

from dataclasses import replace

from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.text import Text
from tests.harness.exchange import CIVIL
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.elements import Element, Masking, Sensitivity
from workloads.data_exchange.directory.interface import (
    Authentication,
    AuthenticationKind,
    Interface,
)
from workloads.data_exchange.directory.model import Body, Contact, Distribution, Entry, Kind


def somebody(name: str, role: str, path: str = "/") -> Actor:
    """A person of a name, with one role."""
    grant = Grant(f"exchange_{role}", path)
    return Actor(PrincipalId(f"per_{name}"), name, ActorKind.PERSON, (grant,))


AUTHOR = somebody("author", "steward", CIVIL)
REVIEWER = somebody("reviewer", "reviewer")
OTHER = somebody("other", "steward", CIVIL)
READER = somebody("reader", "officer", "/city/housing/")


def element(name: str, **kwargs: object) -> Element:
    given = {
        "pointer": f"/{name}", "title": Text(name.title(), name),
        "schema": {"type": "string"}, **kwargs,
    }  # fmt: skip
    return Element(name, **given)  # type: ignore[arg-type]


def dataset(en: str = "Households", zh: str = "家庭户籍登记信息", **kwargs: object) -> Body:
    """A description that may be published."""
    body = Body(
        Text(en, zh),
        Text("Who lives together, by household.", "按户登记的共同居住人口。"),
        keywords=("household", "户籍"),
        themes=("SOCI", "city:social-aid"),
        frequency="DAILY",
        contact=Contact("Data office", "data@civil.example"),
        legal_basis="Household Registration Regulations, article 4",
        elements=(
            element("id", sensitivity=Sensitivity.PERSONAL, masking=Masking.PSEUDONYM),
            element("name", sensitivity=Sensitivity.PERSONAL, masking=Masking.PARTIAL),
        ),
        distributions=(
            Distribution(
                "csv", Text("Monthly file", "月度文件"), "CSV", "https://data.civil.example/h",
                licence="CC_BY_4_0", byte_size=1000,
            ),
        ),
    )  # fmt: skip
    return replace(body, **kwargs)  # type: ignore[arg-type]


def service(*serves: str, **kwargs: object) -> Body:
    """A service whose provider asks for a token."""
    interface = Interface(
        "https://api.civil.example/v1", paths=("/households/{id}",), records="/items",
        answers={"type": "object"},
        authentication=Authentication(AuthenticationKind.BEARER),
    )  # fmt: skip
    body = Body(
        Text("Household query", "户籍查询接口"), Text("One household.", "查询一户。"),
        themes=("SOCI",), contact=Contact("Data office"), legal_basis="article 4",
        serves=serves, interface=interface,
    )  # fmt: skip
    return replace(body, **kwargs)  # type: ignore[arg-type]


def published(
    exchange: Exchange,
    body: Body,
    kind: Kind = Kind.DATASET,
    *,
    agency: str = CIVIL,
    secret: str = "",
) -> Entry:
    """An entry that was written, reviewed and published."""
    directory = exchange.cataloguing.directory
    author = somebody("author", "steward")
    made = directory.create(author, kind, agency=agency, body=body, secret=secret)
    directory.submit(author, made.id)
    return directory.approve(REVIEWER, made.id)
