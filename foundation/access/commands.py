"""``borough login``, ``logout``, ``whoami``, ``token``, ``person`` and ``audit``."""

import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from foundation.access.workload_identity.commands import exchanged, workload_token
from foundation.surface import cli
from foundation.surface.cli.contexts import local_url

_TOKENS = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("BEGINS", "hint"),
    cli.Column("SCOPES", lambda item: item["scopes"] or "all"),
    cli.Column("EXPIRES", "expires_at"),
    cli.Column("LAST USED", "last_used_at"),
    cli.Column("REVOKED", "revoked_at"),
    cli.Column("CREATED", "created_at", wide=True),
)
_PEOPLE = (
    cli.Column("ID", "id"),
    cli.Column("LOGIN", "login"),
    cli.Column("NAME", "name"),
    cli.Column("PATH", "path"),
    cli.Column(
        "ROLES", lambda item: [f"{grant['role']} on {grant['path']}" for grant in item["grants"]]
    ),
    cli.Column("STATE", "state"),
    cli.Column("EMAIL", "email", wide=True),
    cli.Column("CREATED", "created_at", wide=True),
)
_AUDIT = (
    cli.Column("SEQ", "seq", right=True),
    cli.Column("AT", "at"),
    cli.Column("ACTOR", "actor_name"),
    cli.Column("ACTION", "action"),
    cli.Column("SUBJECT", "subject"),
    cli.Column("PATH", "path"),
    cli.Column("OUTCOME", "outcome"),
    cli.Column("ACTOR ID", "actor_id", wide=True),
    cli.Column("DETAIL", "detail", wide=True),
    cli.Column("HASH", "hash", wide=True),
)
_ACCOUNT = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("KIND", "kind"),
    cli.Column(
        "ROLES", lambda item: [f"{grant['role']} on {grant['path']}" for grant in item["grants"]]
    ),
    cli.Column("SCOPES", lambda item: item["scopes"] or "all"),
)
_VERIFICATION = (
    cli.Column("OK", "ok"),
    cli.Column("ENTRIES", "entries"),
    cli.Column("HEAD", lambda item: f"{item['head_seq']}:{item['head_hash']}"),
    cli.Column(
        "FINDINGS",
        lambda item: [f"{f['kind']} at {f['seq']}: {f['message']}" for f in item["findings"]],
    ),
)


@click.command()
@click.argument("address", required=False, default="", metavar="[URL]")
@click.option("--login", "-l", "name", default="", help="Name to sign in with; else it asks.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input (for scripts)."
)
@click.option("--name", "context_name", default="", help="Name of the context; else the host's.")
@click.option("--days", default=30, show_default=True, help="Life of the token, days.")
@click.option("--scope", "scopes", multiple=True, help="Limit it: order.view, order.*, *.view.")
@click.option(
    "--oidc", is_flag=True,
    help="Sign in as this CI job, by the OIDC token of its environment (BOROUGH_OIDC_TOKEN or "
    "GitHub's runner).",
)  # fmt: skip
@click.option("--oidc-token-file", metavar="FILE", default="", help="By the OIDC token in a file.")
@click.option("--audience", default="", help="Of the OIDC token; else the platform's address.")
@click.option("--rule", default="", help="The identity-rule that is meant, when several fit.")
@cli.console(api="POST /api/v1/login, POST /api/v1/token-exchange", web="/sign-in")
def login(
    console: cli.Console,
    /,
    address: str,
    name: str,
    password_stdin: bool,  # noqa: FBT001 - an option
    context_name: str,
    days: int,
    scopes: tuple[str, ...],
    **workload: Any,  # noqa: ANN401 - the options for CI
) -> None:
    """Sign in to a platform: makes a token and keeps it in a context.

    Without URL it is the platform that BOROUGH_URL, the current context or this machine names.
    With --oidc or --oidc-token-file a CI job signs in without any secret of its own; its token
    lives 15 minutes at most.
    """
    url = address or console.settings.url or _known_url(console)
    if workload["oidc"] or workload["oidc_token_file"]:
        _login_workload(console, url, context_name, workload)
        return
    user = name or click.prompt("Name", err=True)
    password = _password(from_stdin=password_stdin)
    client = console.client_for(url)
    body = {
        "login": user,
        "password": password,
        "name": f"{cli.program_name()} login on {os.uname().nodename}"[:200],
        "days": days,
        "scopes": list(scopes) or None,
    }
    token = client.post("/login", body)
    _keep(console, client.url, token["secret"], context_name, user, token["expires_at"])


def _login_workload(
    console: cli.Console, url: str, context_name: str, given: Mapping[str, Any]
) -> None:
    """Exchange the OIDC token of this job."""
    client = console.client_for(url)
    token = workload_token(given["oidc_token_file"], audience=given["audience"] or client.url)
    made = exchanged(client, token, audience=given["audience"], rule=given["rule"])
    _keep(console, client.url, made["access_token"], context_name, made["rule"], made["expires_at"])


def _keep(
    console: cli.Console, url: str, secret: str, context_name: str, user: str, until: str
) -> None:
    """Keep a token in a context, and say whose it is."""
    account = console.client_for(url, secret).get("/me")
    kept = context_name or urlsplit(url).netloc
    contexts = cli.Contexts.load(console.settings)
    contexts.put(cli.Context(kept, url, secret, user)).save()
    console.say(f"Signed in to {url} as {account['name']} until {until}.")
    console.one(account, _ACCOUNT)


def _known_url(console: cli.Console) -> str:
    contexts = cli.Contexts.load(console.settings)
    chosen = console.settings.context or contexts.current
    found = contexts.get(chosen).url if chosen else local_url(console.settings)
    if not found:
        raise cli.Failure(f"say which platform: `{cli.program_name()} login --url URL`", cli.USAGE)
    return found


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: say --password-stdin")
    typed: str = click.prompt("Password", hide_input=True, err=True)
    return typed


@click.command()
@cli.console(api="POST /api/v1/logout", web="/sign-out")
def logout(console: cli.Console) -> None:
    """End the token of the current context and forget the context."""
    context = console.context
    console.client.post("/logout")
    if context.name:
        cli.Contexts.load(console.settings).without(context.name).save()
    console.say(f"Signed out of {context.url}.")


@click.command()
@cli.console(api="GET /api/v1/me", web="/account")
def whoami(console: cli.Console) -> None:
    """Show who you are to the platform, and your roles."""
    console.one(console.client.get("/me"), _ACCOUNT)


@click.group()
def token() -> None:
    """API tokens: your own, and those of service accounts that you manage."""


@token.command("create")
@click.argument("name")
@click.option("--days", default=30, show_default=True, help="Life, days.")
@click.option("--scope", "scopes", multiple=True, help="Limit it: order.view, order.*, *.view.")
@click.option("--for", "principal", default=None, metavar="ID", help="A service account's id.")
@cli.console(api="POST /api/v1/tokens", web="/account")
def token_create(
    console: cli.Console, name: str, days: int, scopes: tuple[str, ...], principal: str | None
) -> None:
    """Make a token and print its secret, which is not shown again.

    The secret is the result: `export BOROUGH_TOKEN=$(borough token create ci)`.
    """
    body = {"name": name, "days": days, "scopes": list(scopes) or None, "principal_id": principal}
    made = console.client.post("/tokens", body)
    console.say(f"{made['id']}, until {made['expires_at']}. Its secret is shown only now:")
    console.text(made["secret"], made)


@token.command("list")
@click.option("--for", "principal", default=None, metavar="ID", help="A service account's id.")
@cli.console(api="GET /api/v1/tokens", web="/account")
def token_list(console: cli.Console, principal: str | None) -> None:
    """List tokens, newest first."""
    console.rows(console.client.items("/tokens", principal_id=principal), _TOKENS)


@token.command("revoke")
@click.argument("token_id", shell_complete=cli.complete("/tokens"))
@cli.console(api="DELETE /api/v1/tokens/{id}", web="/account")
def token_revoke(console: cli.Console, token_id: str) -> None:
    """End a token at once."""
    console.client.delete(f"/tokens/{token_id}")
    console.say(f"Revoked {token_id}.")


@click.group()
def person() -> None:
    """People of your part of the city."""


@person.command("list")
@click.option("--search", "text", default=None, help="Part of the login or the name.")
@cli.console(api="GET /api/v1/people")
def person_list(console: cli.Console, text: str | None) -> None:
    """List people, by login."""
    console.rows(console.client.items("/people", q=text), _PEOPLE)


@person.command("create")
@click.argument("login_name", metavar="LOGIN")
@click.option("--name", required=True, help="The name that others read.")
@click.option("--path", required=True, help="The organisation: /city/health/.")
@click.option("--email", default="", help="E-mail address.")
@click.option("--role", "roles", multiple=True, help="A role on that organisation; repeatable.")
@click.option("--password-stdin", is_flag=True, help="Read the first password from standard input.")
@cli.console(api="POST /api/v1/people, POST /api/v1/grants")
def person_create(
    console: cli.Console,
    login_name: str,
    name: str,
    path: str,
    email: str,
    roles: tuple[str, ...],
    password_stdin: bool,  # noqa: FBT001 - an option
) -> None:
    """Add a person, with roles on their organisation."""
    body = {"login": login_name, "name": name, "path": path, "email": email}
    body["password"] = _password(from_stdin=password_stdin)
    made = console.client.post("/people", body)
    for role in roles:
        console.client.post("/grants", {"principal_id": made["id"], "role": role, "path": path})
    console.one(console.client.get(f"/people/{made['id']}"), _PEOPLE)


@click.group()
def audit() -> None:
    """The audit log: who did what, chained so that changes are found."""


@audit.command("list")
@click.option("--actor", default=None, help="The id of who acted.")
@click.option("--action", default=None, help="By name, or order.* for all of a noun.")
@click.option("--subject", default=None, help="The id of what was acted upon.")
@click.option("--since", default=None, help="From this instant on (RFC 3339).")
@click.option("--until", default=None, help="Before this instant (RFC 3339).")
@click.option("--limit", default=50, show_default=True, help="Entries at most.")
@cli.console(api="GET /api/v1/audit", web="/audit")
def audit_list(console: cli.Console, /, limit: int, **filters: str | None) -> None:
    """List entries, newest first."""
    console.rows(console.client.items("/audit", limit=limit, **filters), _AUDIT, name="seq")


@audit.command("verify")
@click.option(
    "--head",
    default="",
    metavar="SEQ:HASH",
    help="The head that an earlier verification printed and that you kept elsewhere.",
)
@cli.console(api="GET /api/v1/audit/verification", web="/audit/verification")
def audit_verify(console: cli.Console, head: str) -> None:
    """Read the whole log and say what is wrong with it.

    Exit code 1 when anything is. Keep the printed head elsewhere and give it to the next run: only
    that finds a log, or a whole database, that was put back to an earlier state.
    """
    seq, _, digest = head.partition(":")
    if head and not (seq.isdigit() and digest):
        raise click.BadParameter("must be SEQ:HASH as an earlier run printed it")
    result = console.client.get(
        "/audit/verification", head_seq=seq or None, head_hash=digest or None
    )
    console.one(result, _VERIFICATION, name="head_hash")
    if not result["ok"]:
        raise cli.Failure(f"the audit log is damaged: {len(result['findings'])} findings")
