"""Generated cities: as large as they say, sound, and always the same."""

import itertools
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pytest

from control_plane.demonstration.checks import problems_of
from control_plane.demonstration.generator import (
    GUANGZHOU,
    NANJING,
    DirectoryLevel,
    GeneratedCity,
    ServerKind,
    Size,
    generate,
)
from foundation.kernel import canonical

#: Of the small city with seed 7.
KNOWN = "sha256:67601bf9041c4001699e28048a1687289fff182f3fb6611ab88c8c3320c02605"
SMALL = Size("small", 13, 5, 40, 90, 10, 200)


@pytest.fixture(scope="module")
def guangzhou() -> GeneratedCity:
    return generate(GUANGZHOU)


@pytest.fixture(scope="module")
def nanjing() -> GeneratedCity:
    return generate(NANJING)


def test_guangzhou_has_the_published_sizes(guangzhou: GeneratedCity) -> None:
    city = guangzhou.city
    assert len(city.departments) == 240
    assert len(city.systems) == 900
    kinds = Counter(server.kind for server in guangzhou.servers())
    assert kinds == {ServerKind.VIRTUAL: 3_860, ServerKind.PHYSICAL: 857}
    assert kinds.total() == GUANGZHOU.servers == 4_717


def test_nanjing_has_the_published_sizes(nanjing: GeneratedCity) -> None:
    city = nanjing.city
    assert len(city.organisations) - 1 == 127
    assert len(city.systems) == 1_216
    count = 0
    levels: Counter[DirectoryLevel] = Counter()
    for entry in nanjing.directory():
        count += 1
        levels[entry.level] += 1
        assert entry.number == f"D{count:07d}"
    assert count == 172_654
    assert set(levels) == set(DirectoryLevel)


def test_they_are_sound(guangzhou: GeneratedCity, nanjing: GeneratedCity) -> None:
    for one in (guangzhou, nanjing, generate(SMALL, seed=3)):
        assert problems_of(one.city) == []


def test_every_server_is_of_a_system_in_its_departments_tenancy(guangzhou: GeneratedCity) -> None:
    city = guangzhou.city
    systems = {one.slug: one for one in city.systems}
    tenancies = {one.slug: one for one in city.tenancies}
    names = set()
    for server in guangzhou.servers():
        names.add(server.name)
        owner = systems[server.system].organisation
        assert server.organisation == owner
        department = city.department_of(owner).slug
        assert tenancies[server.tenancy].organisation == department
    assert len(names) == 4_717
    assert {server.system for server in guangzhou.servers()} == set(systems)


def test_servers_fit_the_quotas_of_their_tenancies(guangzhou: GeneratedCity) -> None:
    flavors = guangzhou.city.regions[0].config["openstack"]["flavors"]
    used: Counter[tuple[str, str]] = Counter()
    for server in guangzhou.servers():
        if server.kind is ServerKind.VIRTUAL:
            used[server.tenancy, "vcpus"] += flavors[server.flavor]["vcpus"]
            used[server.tenancy, "ram_gb"] += flavors[server.flavor]["ram_mb"] // 1024
            used[server.tenancy, "instances"] += 1
        used[server.tenancy, "volume_gb"] += server.volume_gb
    limits = {quota.tenancy: quota.limits for quota in guangzhou.city.quotas}
    assert [key for key, amount in used.items() if amount > limits[key[0]][key[1]]] == []


def test_every_virtual_server_and_model_has_a_price(guangzhou: GeneratedCity) -> None:
    (book,) = guangzhou.city.price_books
    priced = {value for price in book.prices for value in price.dimensions.values()}
    assert {server.flavor for server in guangzhou.servers()} <= priced


def test_the_same_seed_is_the_same_city_for_ever() -> None:
    one, other = generate(SMALL, seed=7), generate(SMALL, seed=7)
    assert one.city == other.city
    assert list(one.servers()) == list(other.servers())
    assert list(one.directory()) == list(one.directory()) == list(other.directory())
    # On any machine and in any version of Python: a digest that was once written down.
    told = [asdict(system) for system in one.city.systems]
    told += [asdict(server) for server in one.servers()]
    told += [asdict(entry) for entry in one.directory()]
    assert canonical.digest(told) == KNOWN


def test_another_seed_is_another_city() -> None:
    one, other = generate(SMALL, seed=7), generate(SMALL, seed=8)
    assert one.city.systems != other.city.systems
    assert list(one.servers()) != list(other.servers())
    assert list(one.directory()) != list(other.directory())


def test_one_stream_does_not_move_another() -> None:
    plain = generate(SMALL, seed=7)
    fewer = generate(replace(SMALL, directory_entries=20), seed=7)
    assert list(plain.servers()) == list(fewer.servers())
    assert list(itertools.islice(plain.directory(), 20)) == list(fewer.directory())


def test_entries_are_told_one_by_one(nanjing: GeneratedCity) -> None:
    huge = generate(replace(NANJING, directory_entries=10**12))
    first = list(itertools.islice(huge.directory(), 3))
    assert first == list(itertools.islice(nanjing.directory(), 3))


@pytest.mark.parametrize(
    "wrong",
    [{"departments": 0}, {"systems": -1}, {"offices": -1}, {"systems": 0}, {"virtual_servers": -1}],
)
def test_a_size_that_no_city_has_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a city has|servers and"):
        replace(SMALL, **wrong)
