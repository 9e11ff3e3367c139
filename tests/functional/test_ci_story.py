"""A pipeline that holds no secret: it plans, waits for approval, and deploys.

It signs in with nothing but the OIDC token of its job; every step is a ``borough`` process of its
own, as in ``docs/ci``. The tests run in their order on one service of the demonstration city.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.oidc import FakeIssuer, serving
from tests.functional.conftest import Product, Ran

AUDIENCE = "borough"
NAME = "pipeline-web"
REPOSITORY = "health/appointments"
OK, FAILED, USAGE, NOT_FOUND, NOT_ALLOWED, CONFLICT, TIMED_OUT, NEEDS_APPROVAL = range(8)


@dataclass
class Pipeline:
    """A job's machine: a home folder, a checkout with the declared service, and no secret."""

    product: Product
    issuer: FakeIssuer
    folder: Path
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "service.yaml"

    def declare(self, servers: int, **changed: Any) -> None:
        """Write the file that is under version control."""
        spec = {
            "offering": "web-application", "plan": "m", "tenancy": "health-production",
            "region": "east", "justification": "Declared by a pipeline.",
            "inputs": {"servers": servers, "volume_gb": 100}, **changed,
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump({"kind": "Service", "name": NAME, "spec": spec}))

    def environment(self) -> dict[str, str]:
        """No token, no address: what signing in leaves in the home folder is all."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BOROUGH_", "XDG_"))}
        return {**kept, "HOME": str(self.folder)}

    def spawn(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "control_plane.entrypoints.cli.main", *arguments],
            env={**self.environment(), "PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> Ran:
        process = self.spawn(*arguments)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return Ran(process.returncode, out, err)

    def token(self, **changed: Any) -> str:
        """What the CI platform gives to a job, in a file."""
        now = int(datetime.now(UTC).timestamp())  # noqa: TID251 - the issuer's own clock
        claims = {
            "sub": f"project_path:{REPOSITORY}:ref:main", "aud": AUDIENCE, "iat": now,
            "exp": now + 300, "jti": os.urandom(8).hex(), "project_path": REPOSITORY,
            "ref_protected": "true", **changed,
        }  # fmt: skip
        (self.folder / "token").write_text(self.issuer.token(claims))
        return str(self.folder / "token")

    def sign_in(self) -> None:
        ran = self.run("login", self.product.url, "--oidc-token-file", self.token())
        assert ran.status == OK, ran.err

    def order(self) -> str:
        if "order" not in self.facts:
            pytest.fail("an earlier step of the pipeline did not succeed")
        return self.facts["order"]

    def approve(self) -> None:
        """The finance office approves what the plan shows, by its digest."""
        api = self.product.api("finance.approver")
        digest = api.get(f"/approvals/{self.order()}")["digest"]
        ran = self.product.cli(
            "finance.approver", "approval", "approve", self.order(), "--digest", digest, "--no-wait"
        )
        assert ran.status == OK, ran.err

    def orders(self) -> list[str]:
        """All orders of the service, newest first."""
        listed = self.product.api("health.administrator").items("/orders", tenancy=None)
        return [order["id"] for order in listed if order["name"] == NAME]


@pytest.fixture(scope="module")
def pipeline(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with serving() as issuer:
        made = Pipeline(product, issuer, tmp_path_factory.mktemp("pipeline"))
        made.declare(2)
        yield made


def test_an_administrator_lets_the_pipeline_in(pipeline: Pipeline) -> None:
    product = pipeline.product
    added = product.cli(
        "admin", "issuer", "add", "city-gitlab", "--issuer-url", pipeline.issuer.url,
        "--audience", AUDIENCE,
    )  # fmt: skip
    assert added.status == OK, added.err
    checked = product.cli("admin", "issuer", "check", "city-gitlab", "-o", "json")
    assert checked.json["key_ids"] == ["k1"]
    refused = pipeline.run("login", product.url, "--oidc-token-file", pipeline.token())
    assert refused.status == NOT_ALLOWED
    ruled = product.cli(
        "health.administrator", "identity-rule", "add", "appointments", "--issuer", "city-gitlab",
        "--match", f"project_path={REPOSITORY}", "--match", "ref_protected=true",
        "--path", "/city/health/", "--role", "member", "--scope", "order.*", "--scope", "*.view",
    )  # fmt: skip
    assert ruled.status == OK, ruled.err


def test_only_its_own_token_lets_it_in(pipeline: Pipeline) -> None:
    other = pipeline.token(project_path="health/other")
    refused = pipeline.run("login", pipeline.product.url, "--oidc-token-file", other)
    assert refused.status == NOT_ALLOWED
    assert "no rule" in refused.err
    assert pipeline.run("whoami").status == USAGE, "nothing was kept"
    token = pipeline.token()
    ran = pipeline.run("login", pipeline.product.url, "--oidc-token-file", token)
    assert ran.status == OK, ran.err
    assert "member on /city/health/" in ran.out
    assert Path(token).read_text() not in ran.out + ran.err
    again = pipeline.run("login", pipeline.product.url, "--oidc-token-file", token)
    assert again.status == NOT_ALLOWED, "a token is exchanged once"
    assert Path(token).read_text() not in pipeline.product.log("serve")


def test_everything_that_is_wrong_is_named_with_its_line(pipeline: Pipeline) -> None:
    pipeline.sign_in()
    wrong = pipeline.folder / "wrong.yaml"
    wrong.write_text(
        "kind: Service\nname: Bad name\nspec:\n  offering: web-application\n  plan: xxl\n"
        "  tenancy: health-production\n  region: moon\n  inputs: {servers: 2}\n"
        "---\nkind: Service\nname: other\nspec:\n  colour: red\n  inputs: 7\n"
    )
    ran = pipeline.run("plan", str(wrong))
    assert ran.status == USAGE
    assert f"{wrong}:13 (document 2) spec.colour: is not a field" in ran.err
    assert f"{wrong}:14 (document 2) spec.inputs: must be a mapping" in ran.err
    wrong.write_text(wrong.read_text().partition("---")[0])
    ran = pipeline.run("plan", str(wrong))
    assert ran.status == USAGE
    for line, name in (
        (2, "name"),
        (5, "spec.plan"),
        (7, "spec.region"),
        (3, "spec.justification"),
    ):
        assert f"{wrong}:{line} (document 1) {name}:" in ran.err, ran.err
    assert pipeline.orders() == []


def test_it_plans_and_is_told_to_wait(pipeline: Pipeline) -> None:
    # Killed at any point, and run by several at once: one order comes of it.
    for delay in (0.25, 0.5, 0.9):
        killed = pipeline.spawn("plan", "service.yaml")
        time.sleep(delay)
        killed.kill()
        killed.communicate()
    at_once = [pipeline.spawn("plan", "service.yaml", "-o", "json") for _ in range(2)]
    answers = [(process.communicate(timeout=120), process.returncode) for process in at_once]
    assert [status for _, status in answers] == [NEEDS_APPROVAL] * 2, answers
    (first,), (second,) = [json.loads(told[0])["services"] for told, _ in answers]
    assert first["needs_approval"] is True
    assert (first["order"]["id"], first["digest"]) == (second["order"]["id"], second["digest"])
    pipeline.facts["order"] = first["order"]["id"]
    assert pipeline.orders() == [first["order"]["id"]]
    ran = pipeline.run("plan", "service.yaml", "--markdown", "comment.md")
    assert ran.status == NEEDS_APPROVAL
    assert first["digest"] in ran.err
    assert "+ server-2" in ran.out
    comment = (pipeline.folder / "comment.md").read_text()
    assert first["digest"] in comment
    assert "**needs approval**" in comment
    assert "| a month | 0.00 CNY |" in comment


def test_it_does_not_deploy_before_approval_and_cannot_approve(pipeline: Pipeline) -> None:
    assert pipeline.run("deploy", "service.yaml").status == NEEDS_APPROVAL
    waited = pipeline.run("deploy", "service.yaml", "--wait", "--timeout", "0")
    assert waited.status == TIMED_OUT, waited.err
    review = pipeline.product.api("finance.approver").get(f"/approvals/{pipeline.order()}")
    own = pipeline.run("approval", "approve", pipeline.order(), "--digest", review["digest"])
    assert own.status == NOT_ALLOWED


def test_it_deploys_after_approval(pipeline: Pipeline) -> None:
    pipeline.approve()
    ran = pipeline.run("deploy", "service.yaml", "--timeout", "100")
    assert ran.status == OK, ran.err
    order = pipeline.product.api("health.requester").get(f"/orders/{pipeline.order()}")
    assert order["state"] == "active"
    for verb in ("plan", "deploy"):
        again = pipeline.run(verb, "service.yaml")
        assert (again.status, again.out) == (OK, f"{NAME}: nothing to do\n")
    assert pipeline.orders() == [pipeline.order()]


def test_another_commit_is_a_change_and_a_revert_takes_it_back(pipeline: Pipeline) -> None:
    pipeline.sign_in()
    pipeline.declare(3)
    ran = pipeline.run("plan", "service.yaml", "-o", "json")
    assert ran.status == NEEDS_APPROVAL, ran.err
    (planned,) = ran.json["services"]
    assert planned["order"]["kind"] == "change"
    assert planned["changes"] == [{"field": "inputs.servers", "before": 2, "after": 3}]
    pipeline.declare(2)
    assert pipeline.run("plan", "service.yaml").status == OK
    taken_back = pipeline.product.api("health.requester").get(f"/orders/{planned['order']['id']}")
    assert taken_back["state"] == "withdrawn"


def test_it_waits_for_the_approval_and_returns_the_service(pipeline: Pipeline) -> None:
    pipeline.declare(2, state="absent")
    waiting = pipeline.spawn("deploy", "service.yaml", "--wait", "--timeout", "100")
    end = time.monotonic() + 60
    while len(found := pipeline.orders()) < 3 or not _in_approval(pipeline, found[0]):
        assert time.monotonic() < end
        assert waiting.poll() is None, waiting.communicate()
        time.sleep(0.2)
    pipeline.facts["order"] = found[0]
    pipeline.approve()
    _, err = waiting.communicate(timeout=120)
    assert waiting.returncode == OK, err
    assert "waits for approval" in err
    assert pipeline.run("deploy", "service.yaml").out == f"{NAME}: nothing to do\n"


def _in_approval(pipeline: Pipeline, order: str) -> bool:
    found: dict[str, Any] = pipeline.product.api("health.administrator").get(f"/orders/{order}")
    return bool(found["state"] == "in_approval")


def test_the_audit_log_names_the_pipeline(pipeline: Pipeline) -> None:
    ran = pipeline.product.cli("auditor", "audit", "list", "--action", "identity.*", "-o", "json")
    assert {entry["outcome"] for entry in ran.json} == {"done", "refused"}
    done = [entry for entry in ran.json if entry["outcome"] == "done"]
    assert {entry["actor_name"] for entry in done} == {"appointments"}
    assert {entry["detail"]["issuer"] for entry in done} == {"city-gitlab"}


def test_without_its_rule_it_is_out(pipeline: Pipeline) -> None:
    product = pipeline.product
    assert (
        product.cli("health.administrator", "identity-rule", "remove", "appointments").status == 0
    )
    assert pipeline.run("whoami").status == NOT_ALLOWED
    assert product.cli("admin", "issuer", "remove", "city-gitlab").status == OK
