"""The command: starts everything, loads the city, plays the story, keeps serving."""

import contextlib
import fcntl
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from control_plane.bootstrap import empty_embedded, open_platform
from control_plane.demonstration import load_city
from control_plane.demonstration.model import City
from control_plane.entrypoints.demo import exchange, processes, story, video
from control_plane.entrypoints.demo.cast import Cast, Stage
from control_plane.entrypoints.demo.loader import load
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from control_plane.settings import Settings, from_environment
from foundation.kernel.errors import BoroughError, Invalid
from foundation.kernel.files import own_file, own_folder
from foundation.surface.cli.exits import CONFLICT, USAGE, Failure

#: What is played, in this order, each with what plays it.
_CHAPTERS = {"order": story.play, "video": video.play, "exchange": exchange.play}
_ACCOUNTS = (
    "admin", "operator", "auditor", "finance.approver", "health.requester", "health.administrator",
    "health.zh",
)  # fmt: skip


@click.command()
@click.option("--once", is_flag=True, help="Exit after the story instead of serving on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None,
    help="Port on loopback. [default: BOROUGH_PORT, or a free one if that is taken]",
)  # fmt: skip
@click.option(
    "--chapter", "chapters", type=click.Choice([*_CHAPTERS]), multiple=True,
    help="Play this chapter alone; may be repeated. [default: all]",
)  # fmt: skip
def demo(*, once: bool, port: int | None, chapters: tuple[str, ...]) -> None:
    """Start a demonstration city, play its story, and keep serving.

    Everything is on this machine: an embedded PostgreSQL, a web process and a worker on loopback, a
    region that is simulated. Each start begins with the city as it was at first. With --once the
    status is 0 only if every result of the story was as it must be.
    """
    settings = _settings()
    narrator = Narrator()
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    try:
        with _alone(settings.home), contextlib.suppress(KeyboardInterrupt):
            _run(settings, narrator, once=once, port=port, chapters=chapters or tuple(_CHAPTERS))
    except StoryFailedError as error:
        raise Failure(f"the story failed: {error}") from None
    except BoroughError as error:
        raise Failure(error.message) from None


def _interrupt() -> None:
    raise KeyboardInterrupt


def _settings() -> Settings:
    try:
        own = from_environment()
    except Invalid as error:
        raise Failure(f"the environment is wrong: {error.message}", USAGE) from None
    # A home and a database of its own: a demonstration never touches a real platform.
    return replace(
        own, home=own.home / "demonstration", database_url="", secret_keys="", secret_key_file="",
        simulated_time=True, host="127.0.0.1", public_url="",
    )  # fmt: skip


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    own_folder(home)
    with own_file(home / "demo.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"a demonstration runs in {home} already: end it, or give this one another "
                "BOROUGH_HOME",
                CONFLICT,
            ) from None
        yield


def _run(
    settings: Settings,
    narrator: Narrator,
    *,
    once: bool,
    port: int | None,
    chapters: tuple[str, ...],
) -> None:
    wanted = settings.port if port is None else port
    chosen = processes.free_port(wanted)
    url = f"http://127.0.0.1:{chosen}"
    city = load_city()
    environment = {
        "BOROUGH_HOME": str(settings.home),
        "BOROUGH_HOST": settings.host,
        "BOROUGH_PORT": str(chosen),
        "BOROUGH_SIMULATED_TIME": "true",
        "BOROUGH_LOG_LEVEL": settings.log_level,
    }
    with contextlib.ExitStack() as stack:
        with narrator.chapter("Starting: embedded PostgreSQL, web process, worker"):
            empty_embedded(settings)
            platform = stack.enter_context(open_platform(settings))
            now = platform.clock.now()
            # The order is long past when it is billed; the other chapters play today.
            begin = story.begins_at(city, now) if "order" in chapters else now
            # Before the worker begins: it collects usage up to its present.
            platform.shift_clock(begin)
            logs = settings.home / "logs"
            web = stack.enter_context(processes.running("serve", environment, logs))
            stack.enter_context(processes.running("worker", environment, logs))
            narrator.tell(f"files and logs: {settings.home}")
        with narrator.chapter(f"Loading {city.name.en} (synthetic: no person in it is real)"):
            entered = [f"{one.count} {one.what}" for one in load(platform, city, now)]
            narrator.tell(", ".join(entered))
            processes.wait_until_ready(url, web, logs / "serve.log")
            if "order" in chapters:
                narrator.tell(
                    f"the platform's clock is set to {begin:%Y-%m-%d %H:%M} UTC, so that a month "
                    "of usage can follow: simulated time, simulated region"
                )
        stage = Stage(url=url, city=city, now=now, set_right=platform.reset_clock)
        cast = Cast(stage, narrator)
        for name, play in _CHAPTERS.items():
            if name in chapters:
                play(stage, narrator, cast)
        click.secho(
            f"\nThe story is told: {narrator.checks} checks passed in {narrator.seconds:.1f} s.",
            fg="green",
        )
        if not once:
            _keep_serving(city, url)


def _keep_serving(city: City, url: str) -> None:
    click.secho(f"\nBorough answers at {url}", bold=True)
    click.echo("Accounts of this demonstration (they are published: for this machine only):")
    for login in _ACCOUNTS:
        account = city.account(login)
        click.echo(f"  {login:22} {account.demonstration_password:32} {account.name.en}")
    click.echo(f"\nOn the command line: borough login --url {url}\nCtrl-C ends it.")
    threading.Event().wait()
