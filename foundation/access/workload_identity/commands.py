"""``borough issuer`` and ``borough identity-rule``, and signing in with a workload's token."""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click

from foundation.surface import cli

_ISSUERS = (
    cli.Column("SLUG", "slug"),
    cli.Column("URL", "url"),
    cli.Column("AUDIENCE", "audience"),
    cli.Column("KEYS", lambda item: "by hand" if item["pinned"] else "discovered"),
    cli.Column("ID", "id", wide=True),
    cli.Column("CREATED", "created_at", wide=True),
)
_RULES = (
    cli.Column("SLUG", "slug"),
    cli.Column("MATCH", "match"),
    cli.Column("ROLES", "roles"),
    cli.Column("PATH", "path"),
    cli.Column("SCOPES", lambda item: item["scopes"] or "all"),
    cli.Column("MINUTES", "minutes", right=True),
    cli.Column("ISSUER", "issuer_id", wide=True),
    cli.Column("ACCOUNT", "account_id", wide=True),
    cli.Column("ID", "id", wide=True),
)
_KEYS = (cli.Column("KEYS", "key_ids"),)

_TYPE = "urn:ietf:params:oauth:token-type:jwt"
_MAX_ANSWER = 65_536


@click.group()
def issuer() -> None:
    """Issuers of OIDC tokens that the platform trusts, such as GitHub or a GitLab."""


@issuer.command("add")
@click.argument("slug")
@click.option("--issuer-url", required=True, help="The iss claim of its tokens, exactly.")
@click.option("--audience", required=True, help="What the aud claim must contain.")
@click.option(
    "--keys", "keys_file", metavar="FILE",
    help="Its public keys (JWKS), - for standard input; else they are discovered.",
)  # fmt: skip
@cli.console(api="POST /api/v1/identity-issuers", web="/identity")
def issuer_add(
    console: cli.Console, slug: str, issuer_url: str, audience: str, keys_file: str | None
) -> None:
    """Trust an issuer; nobody is let in before an identity-rule says whom."""
    body: dict[str, Any] = {"slug": slug, "url": issuer_url, "audience": audience}
    if keys_file:
        body["keys"] = cli.read(keys_file)
    console.one(console.client.post("/identity-issuers", body), _ISSUERS, name="slug")


@issuer.command("list")
@cli.console(api="GET /api/v1/identity-issuers", web="/identity")
def issuer_list(console: cli.Console) -> None:
    """List the trusted issuers."""
    console.rows(console.client.items("/identity-issuers"), _ISSUERS, name="slug")


_one_issuer = click.argument("slug", shell_complete=cli.complete("/identity-issuers", name="slug"))


@issuer.command("show")
@_one_issuer
@cli.console(api="GET /api/v1/identity-issuers/{id}", web="/identity")
def issuer_show(console: cli.Console, slug: str) -> None:
    """Show one issuer."""
    console.one(console.client.get(f"/identity-issuers/{slug}"), _ISSUERS, name="slug")


@issuer.command("check")
@_one_issuer
@cli.console(api="GET /api/v1/identity-issuers/{id}/keys")
def issuer_check(console: cli.Console, slug: str) -> None:
    """Let the platform ask an issuer for its keys now, and show their ids."""
    found = console.client.get(f"/identity-issuers/{slug}/keys")
    if not found["key_ids"]:
        raise cli.Failure("the issuer has no key that can be used")
    console.one(found, _KEYS, name="key_ids")


@issuer.command("remove")
@_one_issuer
@cli.console(api="DELETE /api/v1/identity-issuers/{id}", web="/identity")
def issuer_remove(console: cli.Console, slug: str) -> None:
    """Trust an issuer no more; its rules must be removed first."""
    console.client.delete(f"/identity-issuers/{slug}")
    console.say(f"Removed {slug}.")


@click.group("identity-rule")
def identity_rule() -> None:
    """Which workloads of an issuer are let in, and what they may do."""


@identity_rule.command("add")
@click.argument("slug")
@click.option("--issuer", "issuer_slug", required=True, help="Slug of a trusted issuer.")
@click.option(
    "--match", "matches", multiple=True, required=True, metavar="CLAIM=PATTERN",
    help="A claim and what it must be; * is anything but / and :, ** is anything; repeatable.",
)  # fmt: skip
@click.option("--path", required=True, help="The organisation where the roles hold: /city/health/.")
@click.option("--role", "roles", multiple=True, required=True, help="A role; repeatable.")
@click.option("--scope", "scopes", multiple=True, help="Limit it: order.view, order.*, *.view.")
@click.option(
    "--minutes", type=click.IntRange(1, 15), default=15, show_default=True,
    help="Life of its tokens.",
)  # fmt: skip
@cli.console(api="POST /api/v1/identity-rules", web="/identity")
def rule_add(
    console: cli.Console,
    /,
    slug: str,
    issuer_slug: str,
    matches: tuple[str, ...],
    roles: tuple[str, ...],
    scopes: tuple[str, ...],
    **given: Any,  # noqa: ANN401 - path and minutes
) -> None:
    """Let workloads in: `identity-rule add health-deploy --issuer github --match repository=…`."""
    body = {
        "slug": slug, "issuer": issuer_slug, "match": _match(matches), "roles": list(roles),
        "scopes": list(scopes) or None, **given,
    }  # fmt: skip
    console.one(console.client.post("/identity-rules", body), _RULES, name="slug")


def _match(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    wrong = []
    for part in given:
        claim, equals, text = part.partition("=")
        if not (claim and equals and text) or claim in found:
            wrong.append(f"{part!r} is not CLAIM=PATTERN, or its claim is there already")
        found[claim] = text
    if wrong:
        raise click.UsageError("; ".join(wrong))
    return found


_one_rule = click.argument("slug", shell_complete=cli.complete("/identity-rules", name="slug"))


@identity_rule.command("list")
@cli.console(api="GET /api/v1/identity-rules", web="/identity")
def rule_list(console: cli.Console) -> None:
    """List the rules that you may see."""
    console.rows(console.client.items("/identity-rules"), _RULES, name="slug")


@identity_rule.command("show")
@_one_rule
@cli.console(api="GET /api/v1/identity-rules/{id}", web="/identity")
def rule_show(console: cli.Console, slug: str) -> None:
    """Show one rule."""
    console.one(console.client.get(f"/identity-rules/{slug}"), _RULES, name="slug")


@identity_rule.command("remove")
@_one_rule
@cli.console(api="DELETE /api/v1/identity-rules/{id}", web="/identity")
def rule_remove(console: cli.Console, slug: str) -> None:
    """Let nobody in by a rule any more; its tokens end at once."""
    console.client.delete(f"/identity-rules/{slug}")
    console.say(f"Removed {slug}.")


# --- signing in


def exchanged(client: cli.Client, token: str, *, audience: str, rule: str) -> dict[str, Any]:
    """The platform's token for a workload's.

    Raises:
        Failure: the platform does not accept it.
    """
    body = {
        "subject_token": token, "subject_token_type": _TYPE, "audience": audience, "rule": rule,
    }  # fmt: skip
    made: dict[str, Any] = client.post("/token-exchange", body)
    return made


def workload_token(file: str, *, audience: str) -> str:
    """The OIDC token of this job: from a file, from BOROUGH_OIDC_TOKEN, or from GitHub's runner.

    Raises:
        Failure: there is none.
    """
    if file:
        return _read_token(file)
    given = os.environ.get("BOROUGH_OIDC_TOKEN", "").strip()
    if given:
        return given
    url = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    bearer = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if url and bearer:
        return _github_token(url, bearer, audience)
    raise cli.Failure(
        "there is no OIDC token: say --oidc-token-file, set BOROUGH_OIDC_TOKEN (GitLab: "
        "id_tokens), or give the GitHub job the permission id-token: write",
        cli.USAGE,
    )


def _read_token(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise cli.Failure(f"{file}: {reason}", cli.USAGE) from None
    token = text.strip()
    if not token:
        raise cli.Failure(f"{file}: is empty", cli.USAGE)
    return token


def _github_token(url: str, bearer: str, audience: str) -> str:
    """A token of the job from GitHub's runner, which says where in the environment."""
    from foundation.surface.cli.transport import NoAnswerError, Transport  # noqa: PLC0415

    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}&audience={quote(audience, safe='')}"
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    try:
        origin = f"{parts.scheme}://{parts.netloc}"
        answer = Transport(origin).send("GET", target, None, headers, repeatable=True)
        token = json.loads(answer.body[:_MAX_ANSWER])["value"]
    except (NoAnswerError, ValueError, KeyError, TypeError):
        raise cli.Failure("GitHub's runner gives no OIDC token") from None
    return str(token)
