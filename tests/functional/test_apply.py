"""``borough apply`` and ``borough diff`` against the whole application, in this process."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from control_plane.bootstrap import Platform, open_platform
from control_plane.demonstration.files import load_city
from control_plane.entrypoints.app import create_app
from control_plane.entrypoints.cli.main import borough
from control_plane.entrypoints.demo.loader import load
from control_plane.entrypoints.serve import parts
from control_plane.settings import Settings
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from tests.architecture import objects
from tests.harness.serving import served

OK, FAILED, USAGE, NOT_ALLOWED = 0, 1, 2, 4
TEXT = {"en": "Test", "zh": "测试"}


class Terminal:
    """Somebody who applies files."""

    def __init__(self, platform: Platform, url: str, folder: Path) -> None:
        self.platform, self.url, self.folder = platform, url, folder
        self.tokens: dict[str, str] = {}

    def __call__(self, *arguments: str, login: str = "admin", **environment: str) -> Result:
        if login not in self.tokens:
            password = next(
                a.demonstration_password for a in load_city().accounts if a.login == login
            )
            gate = self.platform.gate
            self.tokens[login] = gate.token_by_password(login, password, address="", name="t")[1]
        known = {"BOROUGH_URL": self.url, "BOROUGH_TOKEN": self.tokens[login]}
        known |= {"XDG_CONFIG_HOME": str(self.folder), "BOROUGH_HOME": str(self.folder)}
        result = CliRunner().invoke(borough, arguments, env=known | environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    def write(self, *documents: Any, name: str = "city.yaml") -> str:
        file = self.folder / name
        file.write_text(yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False))
        return str(file)

    def json(self, verb: str, file: str) -> dict[str, str]:
        """The outcome of each document."""
        ran = self(verb, "-f", file, "-o", "json")
        assert ran.exit_code == OK, ran.output
        found = json.loads(ran.stdout)
        return {f"{one['kind']} {one['name']}": one["outcome"] for one in found}


@pytest.fixture(scope="module")
def terminal(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    home = tmp_path_factory.mktemp("home")
    with (
        objects.database(postgres) as url,
        open_platform(Settings(home=home, database_url=url)) as platform,
    ):
        for _ in load(platform, load_city(), datetime.now(UTC)):  # noqa: TID251 - true time
            pass
        app = create_app(parts(platform), platform.settings, with_pages=False)
        with served(app) as address:
            yield Terminal(platform, address, home)


def organisation(name: str = "/city/health/tests/", **spec: Any) -> dict[str, Any]:
    return {"kind": "Organisation", "name": name, "spec": {"name": TEXT, "kind": "office", **spec}}


def quota(name: str = "/city/health/tests/", **limits: str) -> dict[str, Any]:
    return {"kind": "Quota", "name": name, "spec": {"limits": limits}}


def region(**spec: Any) -> dict[str, Any]:
    given = {"title": TEXT, "kinds": ["openstack"], "engine": "embedded", "config": {}, **spec}
    return {"kind": "Region", "name": "tests", "spec": given}


def procurement() -> list[dict[str, Any]]:
    term = {"start": "2026-01-01T00:00:00Z", "end": "2028-01-01T00:00:00Z"}
    price = {
        "meter": "server.instance_hours", "dimensions": {"flavor": "m"}, "unit_price": "1.50",
        "reason": "For the tests.",
        "starts": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    money = {"amount": "1000.00", "currency": "CNY"}
    return [
        {"kind": "Contract", "name": "CT-T", "spec": {
            "framework": "FW-T", "organisation": "/city/health/tests/", "name": TEXT, "term": term,
            "ceiling": money, "service_level": TEXT}},
        {"kind": "Framework", "name": "FW-T", "spec": {
            "name": TEXT, "suppliers": [{"slug": "one", "name": TEXT}], "lots": ["tests"],
            "term": term, "ceiling": money, "price_book": "tests"}},
        {"kind": "PriceBook", "name": "tests", "spec": {
            "title": TEXT, "currency": "CNY", "prices": [price]}},
        {"kind": "Category", "name": "tests", "spec": {
            "name": TEXT, "description": TEXT, "position": 7}},
        {"kind": "Offering", "name": "tests", "spec": {
            "category": "tests", "name": TEXT, "description": TEXT, "icon": "cloud",
            "data_classes": ["public"], "service_level": TEXT, "support": "x@city.example",
            "maturity": "preview", "availability": "planned", "availability_note": TEXT,
            "plans": [{"slug": "m", "name": TEXT, "description": TEXT, "components": []}]}},
        organisation(),
    ]  # fmt: skip


def test_a_city_is_applied_in_its_order_and_once(terminal: Terminal) -> None:
    documents = [quota(vcpus="20"), *procurement(), region(capacity={"vcpus": "64"})]
    file = terminal.write(*documents)
    shown = terminal("diff", "-f", file)
    assert shown.exit_code == FAILED
    assert "+ Organisation /city/health/tests/" in shown.stdout
    assert "rests on what is not there yet" in shown.stdout
    applied = terminal.json("apply", file)
    assert next(iter(applied)) == "Organisation /city/health/tests/"
    assert set(applied.values()) == {"created"}
    assert set(terminal.json("apply", file).values()) == {"unchanged"}
    again = terminal("diff", "-f", file)
    assert (again.exit_code, again.stdout) == (OK, "")


def test_differences_are_shown_by_property(terminal: Terminal) -> None:
    documents = [*procurement(), quota(vcpus="20")]
    for one in documents:
        if one["kind"] == "Offering":
            one["spec"] |= {"support": "y@city.example", "position": 3}
        if one["kind"] == "PriceBook":
            dearer = {
                **one["spec"]["prices"][0],
                "unit_price": "2",
                "starts": "2027-06-01T00:00:00Z",
            }
            one["spec"]["prices"].append(dearer)
        if one["kind"] == "Contract":
            one["spec"] |= {"ceiling": {"amount": "900", "currency": "CNY"}, "reason": "less"}
    documents[-1] = quota(vcpus="30", ram_gb="8")
    file = terminal.write(*documents)
    shown = terminal("diff", "-f", file)
    assert shown.exit_code == FAILED
    for text in (
        "~ Offering tests\n    position: 0 → 3\n    support: x@city.example → y@city.example",
        "~ PriceBook tests\n    prices: 1 new",
        "~ Contract CT-T\n    ceiling.amount: 1000",
        "limits.ram_gb: 8",
        "limits.vcpus: 20 → 30",
        "4 of 7 documents differ",
    ):
        assert text in shown.output, shown.output
    applied = terminal.json("apply", file)
    changed = {name for name, outcome in applied.items() if outcome == "changed"}
    assert changed == {
        "Offering tests", "PriceBook tests", "Contract CT-T", "Quota /city/health/tests/",
    }  # fmt: skip
    assert terminal("diff", "-f", file).exit_code == OK


def test_nothing_is_done_when_anything_is_wrong(terminal: Terminal) -> None:
    file = terminal.write(
        organisation("/city/health/never/"),
        organisation("/city/nowhere/x/"),
        quota("/city/health/", moons="1", vcpus="-1"),
        region(title={"en": "Other", "zh": "别的"}),
        {"kind": "Category", "name": "Bad Slug", "spec": {"name": TEXT, "colour": "red"}},
    )
    told = terminal("apply", "-f", file)
    assert told.exit_code == USAGE, told.output
    # What the description finds comes first; nothing else is asked then.
    assert "(document 5) spec.colour: is not a field" in told.stderr
    assert "(document 5) spec.description: is required" in told.stderr
    file = terminal.write(
        organisation("/city/health/never/"),
        organisation("/city/nowhere/x/"),
        quota("/city/health/", moons="1"),
        region(title={"en": "Other", "zh": "别的"}),
    )
    told = terminal("apply", "-f", file)
    assert told.exit_code == USAGE, told.output
    for document in (2, 3, 4):
        assert f"(document {document})" in told.stderr, told.stderr
    assert "title: is otherwise" in told.stderr
    assert "never" not in terminal("organisation", "list").stdout


def test_secrets_are_never_shown(terminal: Terminal) -> None:
    file = terminal.folder / "secret.yaml"
    (terminal.folder / "password").write_text("hunter-two-from-a-file\n")
    file.write_text(
        "kind: Region\nname: secret\nspec:\n  title: {en: S, zh: 密}\n  kinds: [openstack]\n"
        "  engine: embedded\n  config: {}\n  credentials:\n    openstack:\n"
        "      user: !env CLOUD_USER\n      password: !file password\n"
    )
    secrets = ("hunter-two-from-a-file", "wolf-from-outside")
    environment = {"CLOUD_USER": "wolf-from-outside"}
    for verb, *more in (("diff",), ("diff", "--curl"), ("apply", "--curl", "-o", "json")):
        ran = terminal(verb, "-f", str(file), *more, **environment)
        assert ran.exit_code == (FAILED if verb == "diff" else OK), ran.output
        for secret in secrets:
            assert secret not in ran.output
        assert "--curl" not in more or "********" in ran.output
    wrong = file.read_text().replace("engine: embedded", "engine: !env CLOUD_USER")
    file.write_text(wrong.replace("name: secret", "name: other"))
    told = terminal("apply", "-f", str(file), **environment)
    assert told.exit_code == USAGE
    assert "wolf" not in told.output
    missing = terminal("apply", "-f", str(file))
    assert "CLOUD_USER is not set" in missing.stderr


def test_a_blueprint_is_published_from_its_folder(terminal: Terminal) -> None:
    root = Path(__file__).parents[2] / "blueprints" / "web-application"
    document = {"kind": "Blueprint", "name": "web-application", "spec": {"folder": str(root)}}
    assert terminal.json("apply", terminal.write(document)) == {
        "Blueprint web-application": "unchanged"
    }
    wrong = {**document, "name": "another"}
    told = terminal("diff", "-f", terminal.write(wrong))
    assert told.exit_code == USAGE
    assert "holds the blueprint web-application" in told.stderr
    none = {**document, "spec": {"folder": "nowhere"}}
    assert terminal("diff", "-f", terminal.write(none)).exit_code == USAGE


def test_the_approval_policy_gets_its_next_version_only_when_it_differs(terminal: Terminal) -> None:
    found = terminal.platform.marketplace.approval_policy(objects._SYSTEM)  # noqa: SLF001
    assert found is not None
    step = {"slug": "finance", "name": TEXT, "role": "finance", "organisation": "/city/"}
    document = {"kind": "ApprovalPolicy", "name": "standard", "spec": {
        "name": TEXT, "steps": [step], "deadline_days": 14}}  # fmt: skip
    file = terminal.write(document)
    assert terminal.json("apply", file) == {"ApprovalPolicy standard": "changed"}
    assert terminal.json("apply", file) == {"ApprovalPolicy standard": "unchanged"}
    now = terminal.platform.marketplace.approval_policy(objects._SYSTEM)  # noqa: SLF001
    assert now is not None
    assert (now.version, now.deadline_days) == (found.version + 1, 14)


def test_who_may_not_is_told(terminal: Terminal) -> None:
    file = terminal.write(quota("/city/health/", vcpus="1"))
    ran = terminal("apply", "-f", file, login="health.requester")
    assert ran.exit_code == NOT_ALLOWED, ran.output


def test_a_rehearsal_leaves_no_trace(terminal: Terminal) -> None:
    """Not in the audit log either; and a key that was rehearsed with can still be used."""
    entries = terminal("audit", "list", "-o", "json", "--limit", "1").stdout
    file = terminal.write(organisation("/city/health/rehearsed/"))
    assert terminal("diff", "-f", file).exit_code == FAILED
    assert terminal("audit", "list", "-o", "json", "--limit", "1").stdout == entries


def test_a_pack_of_policies_is_declared(terminal: Terminal) -> None:
    spec = {
        "title": TEXT,
        "description": TEXT,
        "scope": {"paths": ["/city/statistics/"]},
        "policies": {"backups.declared": {"severity": "advisory"}},
    }
    document = {"kind": "PolicyPack", "name": "declared", "spec": spec}
    file = terminal.write(document, name="pack.yaml")
    assert terminal.json("apply", file) == {"PolicyPack declared": "created"}
    assert terminal.json("apply", file) == {"PolicyPack declared": "unchanged"}
    del spec["scope"]
    terminal.write(document, name="pack.yaml")
    assert "scope" in terminal("diff", "-f", file).output
    spec["policies"]["backups.declared"]["severity"] = "waivable"  # type: ignore[index]
    terminal.write(document, name="pack.yaml")
    shown = terminal("diff", "-f", file)
    assert shown.exit_code == FAILED
    assert "advisory → waivable" in shown.output
    assert terminal.json("apply", file) == {"PolicyPack declared": "changed"}
    assert terminal.json("apply", file) == {"PolicyPack declared": "unchanged"}
    pack = terminal.platform.policies.pack(Actor.system("test"), "declared")
    assert (pack.version, pack.paths) == (2, ())
    spec["policies"] = {"x.y": {"severity": "hard"}}
    terminal.write(document, name="pack.yaml")
    wrong = terminal("apply", "-f", file)
    assert wrong.exit_code == USAGE
    assert "pack.policies.x.y.severity" in wrong.output
