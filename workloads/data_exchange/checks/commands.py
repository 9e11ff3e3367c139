"""``borough-exchange check`` and ``borough-exchange scenario``."""

import json
from typing import IO

import click

from foundation.surface import cli
from foundation.surface.cli import USAGE, Failure

_CHECK = (
    cli.Column("ID", "id"),
    cli.Column("SCENARIO", "scenario"),
    cli.Column("STATE", "state"),
    cli.Column("VERDICT", "verdict"),
    cli.Column("REASONS", "reasons"),
    cli.Column("AGENCY", "path", wide=True),
    cli.Column("CREATED", "created_at", wide=True),
)
_SCENARIO = (
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("TITLE", "title"),
)

_CONSENT = (
    cli.Column("PERSON", "person", right=True),
    cli.Column("STATE", "state"),
    cli.Column("DECIDED", "decided_at"),
    cli.Column("WORDS", "statement", wide=True),
)
_CONNECTION = (
    cli.Column("NAME", "name"),
    cli.Column("SERVICE", "service"),
    cli.Column("PATH", "path"),
)


@click.group()
def check() -> None:
    """Checks: several registries are asked about one applicant, and a verdict stays."""


@check.command("list")
@cli.console(api="GET /api/v1/checks", web="/checks")
def list_checks(console: cli.Console) -> None:
    """List checks, newest first."""
    console.rows(console.client.items("/checks"), _CHECK)


@check.command("show")
@click.argument("check_id", shell_complete=cli.complete("/checks"))
@cli.console(api="GET /api/v1/checks/{id}", web="/checks/{id}")
def show_check(console: cli.Console, check_id: str) -> None:
    """Show what a check says and why."""
    console.one(console.client.get(f"/checks/{check_id}"), _CHECK)


@check.command("create")
@click.argument("scenario")
@click.option("--agency", required=True, help="Id or path of the agency that asks.")
@click.option("--persons", required=True, type=click.File(), help="File of resident numbers; - .")
@click.option("--inputs", type=click.File(), help="File of JSON that the scenario wants; - .")
@cli.console(api="POST /api/v1/checks", web="/checks/new")
def create_check(
    console: cli.Console, scenario: str, agency: str, persons: IO[str], inputs: IO[str] | None
) -> None:
    """Begin a check; answers the codes of consent once.

    Numbers of people are read from a file: arguments are seen by everybody on a machine.
    """
    try:
        filled = json.load(inputs) if inputs else {}
    except ValueError as error:
        raise Failure(f"inputs: {error}", USAGE) from None
    body = {
        "agency": agency, "scenario": scenario, "persons": persons.read().split(),
        "inputs": filled,
    }  # fmt: skip
    console.one(console.client.post("/checks", body), (*_CHECK, cli.Column("CODES", "tokens")))


@check.command("consents")
@click.argument("check_id", shell_complete=cli.complete("/checks"))
@cli.console(api="GET /api/v1/checks/{id}/consents", web="/checks/{id}")
def list_consents(console: cli.Console, check_id: str) -> None:
    """Show who consented when, and to which words (-o json)."""
    items = console.client.get(f"/checks/{check_id}/consents")["items"]
    console.rows(items, _CONSENT, name="person")


@check.command("renew")
@click.argument("check_id", shell_complete=cli.complete("/checks"))
@click.argument("person", type=click.IntRange(0))
@cli.console(api="POST /api/v1/checks/{id}/consents/{person}/renew", web="/checks/{id}")
def renew_consent(console: cli.Console, check_id: str, person: int) -> None:
    """Give a PERSON (0 is the applicant) who lost their code another one."""
    made = console.client.post(f"/checks/{check_id}/consents/{person}/renew")
    console.one(made, (cli.Column("CODE", "token"),), name="token")


@click.group()
def scenario() -> None:
    """Scenarios of checks: versioned data."""


@scenario.command("list")
@cli.console(api="GET /api/v1/scenarios", web="/scenarios")
def list_scenarios(console: cli.Console) -> None:
    """List scenarios in their newest versions."""
    console.rows(console.client.get("/scenarios")["items"], _SCENARIO)


@scenario.command("revise")
@click.argument("file", type=click.File())
@cli.console(api="POST /api/v1/scenarios", web="/scenarios")
def revise_scenario(console: cli.Console, file: IO[str]) -> None:
    """Keep a scenario out of a JSON file as its next version."""
    try:
        data = json.load(file)
    except ValueError as error:
        raise Failure(f"{file.name}: {error}", USAGE) from None
    console.one(console.client.post("/scenarios", {"data": data}), _SCENARIO)


@scenario.command("connections")
@cli.console(api="GET /api/v1/scenarios/connections", web="/scenarios")
def list_connections(console: cli.Console) -> None:
    """List which service of the directory answers what."""
    items = console.client.get("/scenarios/connections")["items"]
    console.rows(items, _CONNECTION, name="name")


@scenario.command("connect")
@click.argument("name")
@click.option("--service", required=True, help="Its id in the directory.")
@click.option("--path", required=True, help="Of its interface; questions are posted to it.")
@cli.console(api="POST /api/v1/scenarios/connections", web="/scenarios")
def connect(console: cli.Console, name: str, service: str, path: str) -> None:
    """Say which service answers NAME, as scenarios call it, such as tax/income."""
    body = {"name": name, "service": service, "path": path}
    console.one(console.client.post("/scenarios/connections", body), _CONNECTION, name="name")
