import pytest

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.video.registry.conftest import ADMIN, WATER, Registry, text
from tests.harness.video import person


def test_the_same_again_is_the_one_that_is_there(registry: Registry) -> None:
    first = registry.departments.department(ADMIN, WATER)
    again = registry.departments.create(ADMIN, parent="/city/", slug="water", name=text("water"))
    assert again == first
    with pytest.raises(Conflict):
        registry.departments.create(ADMIN, parent="/city/", slug="water", name=text("Other"))


def test_every_wrong_field_is_named(registry: Registry) -> None:
    with pytest.raises(Invalid) as caught:
        registry.departments.create(
            ADMIN, parent="/city/", slug="Not A Slug", name=text("x"), external="x" * 201
        )
    assert {problem.field for problem in caught.value.problems} == {"slug", "external"}


def test_who_sees_and_changes_what(registry: Registry) -> None:
    water, viewer = person("administrator", WATER), person("viewer", WATER)
    seen = registry.departments.departments(water, PageRequest()).items
    assert [one.path for one in seen] == [WATER]
    with pytest.raises(NotFound):
        registry.departments.department(water, "/city/health/")
    with pytest.raises(Forbidden):
        registry.departments.change(viewer, WATER, name=text("Mine"))
    assert registry.departments.change(water, WATER, name=text("Rivers")).name == text("Rivers")


def test_only_an_empty_department_is_removed(registry: Registry) -> None:
    camera = registry.camera()
    for path in ("/city/", WATER):
        with pytest.raises(Conflict):
            registry.departments.remove(ADMIN, path)
    registry.departments.remove(ADMIN, "/city/health/")
    with pytest.raises(NotFound):
        registry.departments.department(ADMIN, "/city/health/")
    # A removed camera still has seen things there.
    registry.cameras.remove(ADMIN, camera.id)
    with pytest.raises(Conflict):
        registry.departments.remove(ADMIN, WATER)
