"""What the directory holds: data sets, series of them and services, each with its life.

Vocabulary and properties are DCAT 3's (https://www.w3.org/TR/vocab-dcat-3/) in the profile DCAT-AP
3.0 (https://semiceu.github.io/DCAT-AP/releases/3.0.0/).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.elements import Element
from workloads.data_exchange.directory.interface import Interface

EntryId = NewType("EntryId", str)


class Kind(StrEnum):
    """What an entry describes (dcat:Dataset, dcat:DatasetSeries, dcat:DataService)."""

    DATASET = "dataset"
    SERIES = "series"
    SERVICE = "service"


PREFIXES = {Kind.DATASET: "dst", Kind.SERIES: "ser", Kind.SERVICE: "dsv"}


class State(StrEnum):
    """Where an entry is in its life."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    #: Published again with another content; the earlier versions are kept.
    REVISED = "revised"
    #: Used on, never revised again.
    FROZEN = "frozen"
    #: Not offered any more; the description stays.
    ARCHIVED = "archived"
    #: Taken out of the directory; it may come back by a new revision.
    WITHDRAWN = "withdrawn"
    #: Only its id, its certificate and its steps are left.
    DESTROYED = "destroyed"

    @property
    def shown(self) -> bool:
        """Whether everybody finds it."""
        return self in {State.PUBLISHED, State.REVISED, State.FROZEN}


class Work(StrEnum):
    """What is being done to the next version of an entry."""

    NONE = "none"
    DRAFT = "draft"
    IN_REVIEW = "in_review"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A form in which a data set may be had (dcat:Distribution).

    Attributes:
        name: unique in its data set.
        access_url: where it is to be had; empty when only ``service`` gives it.
        download_url: the file itself, if there is one.
        format: a code of the file-type table.
        media_type: of IANA, or empty.
        byte_size: None when it is not known.
        sha256: of the file, 64 hexadecimal digits, or empty.
        service: id of the data service that gives it, or empty.
    """

    name: str
    title: Text
    format: str
    access_url: str = ""
    download_url: str = ""
    media_type: str = ""
    licence: str = ""
    byte_size: int | None = None
    sha256: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask (vcard:Kind): an office, not a person."""

    name: str = ""
    email: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A description in one version; what is reviewed and published.

    Attributes:
        themes: codes of ``vocabulary.THEMES`` or the city's own.
        frequency: how often the data are renewed, a code of ``vocabulary.FREQUENCIES``.
        access: who may have them, a code of ``vocabulary.ACCESS``.
        licence: a code of ``vocabulary.LICENCES`` or an address.
        identifier: under which it is known elsewhere.
        spatial: the area as an address (URI) or a name.
        begins, ends: the time that the data are about, ``YYYY-MM-DD`` or empty.
        conforms_to: addresses of standards.
        series: id of the series that it belongs to.
        legal_basis: under which law the data are held and shared.
        elements: the fields of a record; of data sets.
        serves: ids of the data sets that a service gives.
        interface: how a service is called.
    """

    title: Text
    description: Text
    keywords: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    frequency: str = "UNKNOWN"
    access: str = "RESTRICTED"
    licence: str = ""
    identifier: str = ""
    landing_page: str = ""
    contact: Contact = Contact()
    spatial: str = ""
    begins: str = ""
    ends: str = ""
    conforms_to: tuple[str, ...] = ()
    series: str = ""
    legal_basis: str = ""
    elements: tuple[Element, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    serves: tuple[str, ...] = ()
    interface: Interface | None = None

    def formats(self) -> tuple[str, ...]:
        """The formats in which it is to be had, without repetition."""
        found = [one.format for one in self.distributions]
        if self.interface is not None:
            found.append(self.interface.format)
        return tuple(dict.fromkeys(one for one in found if one))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an entry was harvested (prov:wasDerivedFrom, dct:source).

    Attributes:
        catalog: id of the catalogue here under which the other one is mounted.
        uri: what the entry is called there.
        publisher: who publishes it there.
        digest: of what was read, so that the same again is no change.
        seen_at: when it was last found there.
        issued, modified: as it is told there, RFC 3339 dates or times, or empty.
    """

    catalog: str
    uri: str
    publisher: str
    digest: str
    seen_at: datetime
    issued: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the directory.

    Attributes:
        path: of the agency that publishes it; for a harvested one, below which it is mounted.
        draft: the version that is being made; None when there is none.
        shown: the version that was published last; None when none was, or it was destroyed.
        version: the number of ``shown``; 0 before the first.
        authors: the people who had a hand in ``draft``; none of them may approve it.
        note: why it was sent back, withdrawn or archived.
        origin: where it was harvested; None for the city's own.
        revision: counts the changes of this record, for If-Match.
        issued_at: when it was first published here.
        modified_at: when ``shown`` was published.
        archived_by: who archived it: another person destroys it.
    """

    id: EntryId
    kind: Kind
    path: str
    level: Level
    state: State
    work: Work
    draft: Body | None
    shown: Body | None
    version: int
    authors: tuple[str, ...]
    created_at: datetime
    changed_at: datetime
    note: str = ""
    origin: Origin | None = None
    revision: int = 1
    issued_at: datetime | None = None
    modified_at: datetime | None = None
    archived_by: str = ""
    has_secret: bool = False

    @property
    def body(self) -> Body | None:
        """The newest version, be it published or not."""
        return self.draft or self.shown


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done to an entry."""

    at: datetime
    action: str
    by: str
    by_name: str
    version: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """An earlier published version."""

    version: int
    body: Body
    published_at: datetime
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is left of what was destroyed.

    Attributes:
        jws: of type ``exchange-destruction+jws``, by the exchange's own key.
    """

    entry: EntryId
    at: datetime
    jws: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """A catalogue that is mounted here (dcat:Catalog): another platform's directory.

    Attributes:
        path: of the agency below which its entries appear.
        level: of government that its entries are of.
        homepage: of the other platform.
    """

    id: str
    path: str
    level: Level
    title: Text
    description: Text
    homepage: str = ""
    publisher: str = ""
