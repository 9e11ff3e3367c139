"""``borough-video camera``."""

import sys
from pathlib import Path
from typing import Any

import click

from foundation.surface import cli

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("PATH", "path"),
    cli.Column("STATE", "state"),
    cli.Column("TIER", "tier"),
    cli.Column("SOURCE", "source.location", wide=True),
    cli.Column("SINCE", "since"),
)
_STATES = (cli.Column("STATE", "state"), cli.Column("CAMERAS", "cameras", right=True))
_HISTORY = (
    cli.Column("STATE", "state"), cli.Column("SINCE", "since"), cli.Column("DETAIL", "detail"),
)  # fmt: skip
_FOUND = (
    cli.Column("ADDRESS", "address"),
    cli.Column("NAME", "name"),
    cli.Column("HARDWARE", "hardware"),
    cli.Column("ENDPOINT", "endpoint", wide=True),
)
_PROFILE = (
    cli.Column("TOKEN", "token"),
    cli.Column("NAME", "name"),
    cli.Column("ENCODING", "encoding"),
    cli.Column("WIDTH", "width", right=True),
    cli.Column("HEIGHT", "height", right=True),
    cli.Column("TURNS", "ptz"),
    cli.Column("URL", "url", wide=True),
)
_PRESET = (cli.Column("TOKEN", "token"), cli.Column("NAME", "name"))

_CAMERA = click.argument("camera_id", metavar="CAMERA", shell_complete=cli.complete("/cameras"))
_USER = click.option("--username", default="", help="To enter it with.")
_PASSWORD = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


def _password(*, from_stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\n") if from_stdin else ""


@click.group()
def camera() -> None:
    """Cameras: the registry, imports, ONVIF devices, health."""


@camera.command("list")
@click.option("--path", help="A department and those below.")
@click.option("--group", help="Of this group.")
@click.option("--state", help="As it is shown; unseen: never watched.")
@click.option("--text", help="Part of name, code, maker or place.")
@cli.console(api="GET /api/v1/cameras", web="/cameras")
def list_(
    console: cli.Console, path: str | None, group: str | None, state: str | None, text: str | None
) -> None:
    """List the cameras that you may see."""
    found = console.client.items("/cameras", path=path, group=group, state=state, text=text)
    console.rows(found, _COLUMNS)


@camera.command()
@_CAMERA
@cli.console(api="GET /api/v1/cameras/{id}", web="/cameras/{id}")
def show(console: cli.Console, camera_id: str) -> None:
    """Show one camera."""
    console.one(console.client.get(f"/cameras/{camera_id}"), _COLUMNS)


@camera.command()
@click.argument("url")
@click.option("--kind", default="rtsp", help="rtsp, mjpeg, hls or file.")
@click.option("--path", required=True, help="The department that owns it.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@click.option("--tier", default="low_rate", help="access, key_frames, low_rate or full.")
@click.option("--group", multiple=True, help="A group that it is in; may be repeated.")
@_USER
@_PASSWORD
@cli.console(api="POST /api/v1/cameras", web="/cameras/new")
def create(console: cli.Console, /, url: str, *, password_stdin: bool, **given: Any) -> None:  # noqa: ANN401
    """Enter a camera into the registry."""
    source = {
        "kind": given["kind"], "url": url, "username": given["username"],
        "password": _password(from_stdin=password_stdin),
    }  # fmt: skip
    body = {
        "name": {"en": given["name"], "zh": given["name_zh"] or given["name"]},
        "path": given["path"], "tier": given["tier"], "groups": list(given["group"]),
        "source": source,
    }  # fmt: skip
    console.one(console.client.post("/cameras", body), _COLUMNS)


@camera.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@cli.console(api="POST /api/v1/cameras/import", web="/cameras/import")
def import_(console: cli.Console, file: Path) -> None:
    """Enter all cameras of a CSV or YAML file, or none."""
    form = "yaml" if file.suffix in {".yaml", ".yml"} else "csv"
    body = {"form": form, "content": file.read_text("utf-8-sig")}
    done = console.client.post("/cameras/import", body)
    counts = {"created": len(done["created"]), "known": len(done["known"])}
    columns = (cli.Column("CREATED", "created"), cli.Column("KNOWN", "known"))
    console.one(counts, columns, name="created")


@camera.command()
@_CAMERA
@cli.console(api="DELETE /api/v1/cameras/{id}", web="/cameras/{id}")
def remove(console: cli.Console, camera_id: str) -> None:
    """Take a camera out of the registry; what it saw stays."""
    console.client.delete(f"/cameras/{camera_id}")


@camera.command()
@click.argument("camera_id", metavar="[CAMERA]", required=False)
@cli.console(api="GET /api/v1/camera-overview", web="/camera-health")
def health(console: cli.Console, camera_id: str | None) -> None:
    """How many cameras are in which state, or into which states one passed."""
    if camera_id:
        history = console.client.get(f"/cameras/{camera_id}/health")["items"]
        console.rows(history, _HISTORY, name="state")
    else:
        console.rows(console.client.get("/camera-overview")["states"], _STATES, name="state")


@camera.command()
@click.argument("host", required=False, default="")
@cli.console(api="POST /api/v1/onvif/discover", web="/devices")
def discover(console: cli.Console, host: str) -> None:
    """Ask for ONVIF devices, on the configured interfaces or at one address."""
    found = console.client.post("/onvif/discover", {"host": host})["items"]
    console.rows(found, _FOUND, name="address")


@camera.command()
@click.argument("address")
@_USER
@_PASSWORD
@cli.console(api="POST /api/v1/onvif/report", web="/devices")
def device(console: cli.Console, address: str, username: str, *, password_stdin: bool) -> None:
    """Show the profiles of an ONVIF device."""
    password = _password(from_stdin=password_stdin)
    body = {"address": address, "username": username, "password": password}
    told = console.client.post("/onvif/report", body)
    console.rows(told["profiles"], _PROFILE, name="token")


@camera.command("import-profile")
@click.argument("address")
@click.argument("profile")
@click.option("--path", required=True, help="The department that owns it.")
@click.option("--name", required=True, help="Its name in English.")
@click.option("--name-zh", help="Its name in Chinese; the English one if left out.")
@_USER
@_PASSWORD
@cli.console(api="POST /api/v1/onvif/import", web="/devices")
def import_profile(
    console: cli.Console, /, address: str, profile: str, *, password_stdin: bool, **given: str
) -> None:
    """Enter a profile of an ONVIF device as a camera."""
    body = {
        "device": {
            "address": address, "username": given["username"],
            "password": _password(from_stdin=password_stdin),
        },
        "profile": profile, "path": given["path"],
        "name": {"en": given["name"], "zh": given["name_zh"] or given["name"]},
    }  # fmt: skip
    console.one(console.client.post("/onvif/import", body), _COLUMNS)


@camera.command()
@_CAMERA
@cli.console(api="GET /api/v1/cameras/{id}/presets", web="/cameras/{id}")
def presets(console: cli.Console, camera_id: str) -> None:
    """List the kept positions of a camera that turns."""
    found = console.client.get(f"/cameras/{camera_id}/presets")["items"]
    console.rows(found, _PRESET, name="token")


@camera.command()
@_CAMERA
@click.argument("preset")
@cli.console(api="POST /api/v1/cameras/{id}/turn", web="/cameras/{id}")
def turn(console: cli.Console, camera_id: str, preset: str) -> None:
    """Turn a camera to a kept position."""
    console.client.post(f"/cameras/{camera_id}/turn", {"preset": preset})
