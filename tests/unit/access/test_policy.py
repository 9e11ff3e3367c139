"""The table of roles, and what grants on the tree mean."""

import pytest

from foundation.access import policy
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import Forbidden, NotFound


def who(*grants: tuple[str, str], scopes: set[str] | None = None) -> Actor:
    held = tuple(Grant(role, path) for role, path in grants)
    limited = None if scopes is None else frozenset(scopes)
    return Actor(PrincipalId("usr_1"), "Ann", ActorKind.PERSON, held, limited)


MEMBER = who(("member", "/city/health/"))


def test_a_grant_holds_on_its_path_and_below() -> None:
    assert policy.allows(MEMBER, "order.create", "/city/health/")
    assert policy.allows(MEMBER, "order.create", "/city/health/clinics/")
    assert not policy.allows(MEMBER, "order.create", "/city/")
    assert not policy.allows(MEMBER, "order.create", "/city/healthcare/")
    assert not policy.allows(MEMBER, "order.create", "/city/water/")
    assert not policy.allows(MEMBER, "quota.set", "/city/health/")


def test_what_is_elsewhere_is_not_found_and_what_is_ours_is_forbidden() -> None:
    with pytest.raises(NotFound):
        policy.require(MEMBER, "order.view", "/city/water/")
    with pytest.raises(NotFound):
        policy.require(MEMBER, "order.view", "/city/")
    with pytest.raises(Forbidden) as refused:
        policy.require(MEMBER, "quota.set", "/city/health/")
    assert refused.value.details == {"action": "quota.set", "path": "/city/health/"}
    with pytest.raises(Forbidden):  # the platform itself is no secret
        policy.require(MEMBER, "quota.set", "/")


def test_actions_of_everywhere_do_not_depend_on_a_path() -> None:
    assert policy.allows(MEMBER, "catalog.view", "/")
    assert policy.visible_paths(MEMBER, "catalog.view") == ("/",)
    assert not policy.allows(MEMBER, "region.add", "/")
    assert policy.visible_paths(who(), "catalog.view") == ()


def test_visible_paths_are_the_shortest() -> None:
    actor = who(("member", "/c/a/"), ("auditor", "/c/a/b/"), ("member", "/c/d/"))
    assert policy.visible_paths(actor, "order.view") == ("/c/a/", "/c/d/")
    assert policy.visible_paths(actor, "audit.view") == ("/c/a/b/",)
    assert policy.visible_paths(who(("member", "/c/")), "audit.view") == ()


def test_scopes_narrow_and_never_widen() -> None:
    path = "/city/health/"
    for scopes, create, view, audit in (
        ({"order.create"}, True, False, False),
        ({"order.*"}, True, True, False),
        ({"*.view"}, False, True, False),
        ({"audit.view"}, False, False, False),
        (set(), False, False, False),
    ):
        actor = who(("member", path), scopes=scopes)
        assert policy.allows(actor, "order.create", path) is create
        assert policy.allows(actor, "order.view", path) is view
        assert policy.allows(actor, "audit.view", path) is audit


def test_the_platform_itself_may_do_everything() -> None:
    assert policy.allows(Actor.system("worker"), "order.create", "/city/health/")
    assert policy.visible_paths(Actor.system("worker"), "order.view") == ("/",)


def test_an_action_that_is_not_in_the_table_is_a_defect() -> None:
    with pytest.raises(LookupError):
        policy.allows(MEMBER, "order.levitate", "/")


def test_the_table_keeps_its_promises() -> None:
    table = policy.table_of("control_plane")
    assert set(table.roles) == {
        "approver",
        "auditor",
        "department_administrator",
        "finance",
        "member",
        "operator",
        "platform_administrator",
    }
    for role, titles in table.roles.items():
        assert set(titles) == {"en", "zh"}, role
    # Nobody grants what they do not hold, so somebody holds everything, and department
    # administrators can make members and their like and nobody else.
    assert table.actions_of("platform_administrator") == table.all_actions()
    held = table.actions_of("department_administrator")
    grantable = {role for role in table.roles if table.actions_of(role) <= held}
    assert grantable == {"department_administrator", "member"}
    # An auditor reads and changes nothing.
    verbs = {action.partition(".")[2] for action in table.actions_of("auditor")}
    assert verbs <= {"view", "verify"}


@pytest.mark.parametrize(
    "text",
    [
        "roles: {a: {}}\nactions: {x.y: [b]}\neverywhere: {}",
        "roles: {a: {}}\nactions: {x.y: []}\neverywhere: {}",
        "roles: {a: {}}\nactions: {x.z: [a], x.y: [a]}\neverywhere: {}",
        "roles: {a: {}}\nactions: {x.y: [a]}\neverywhere: {x.y: [a]}",
    ],
)
def test_a_table_that_contradicts_itself_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        policy.parse(text)
