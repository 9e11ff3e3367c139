"""``borough-video``: every command by name; each is loaded when it is run."""

import click

from foundation.surface.cli.lazy import LazyGroup

_HERE = "workloads.video_analytics"
_MEMBERS = {
    "event": (f"{_HERE}.events.commands:event", "Events: what rules noticed."),
    "evidence": (f"{_HERE}.events.commands:evidence", "Verify evidence."),
    "receiver": (f"{_HERE}.events.commands:receiver", "Who is told of events."),
    "linkage": (f"{_HERE}.events.commands:linkage", "Events start actions."),
    "incident": (f"{_HERE}.events.commands:incident", "What people take care of."),
    "export": (f"{_HERE}.events.commands:export", "Evidence that leaves."),
    "search": (f"{_HERE}.timeline.commands:search", "What moved where and when."),
    "read": (f"{_HERE}.timeline.commands:read", "Plates, tags and cards."),
    "cover": (f"{_HERE}.timeline.commands:cover", "Vegetation on water by day."),
    "administrator": (f"{_HERE}.entrypoints.processes:administrator", "Add an administrator."),
    "audit": ("foundation.access.commands:audit", "The audit log."),
    "camera": (f"{_HERE}.cameras.commands:camera", "Cameras: registry, ONVIF, health."),
    "completion": ("foundation.surface.cli.commands:completion", "Shell completion."),
    "config": (f"{_HERE}.entrypoints.processes:config", "Settings of this environment."),
    "context": ("foundation.surface.cli.commands:context", "Services you signed in to."),
    "db": (f"{_HERE}.entrypoints.processes:db", "The database's schema."),
    "evaluate": (
        f"{_HERE}.evaluate.commands:evaluate",
        "How good the analysis is, on labelled material.",
    ),
    "department": (f"{_HERE}.departments.commands:department", "Departments."),
    "login": ("foundation.access.commands:login", "Sign in to a service."),
    "logout": ("foundation.access.commands:logout", "Sign out of a service."),
    "models": (f"{_HERE}.vision.models.commands:models", "Optional models of this machine."),
    "operation": ("foundation.operations.commands:operation", "Long work: watch, cancel."),
    "permit": (f"{_HERE}.rules.commands:permit", "Permits of sites."),
    "person": ("foundation.access.commands:person", "People and their roles."),
    "rule": (f"{_HERE}.rules.commands:rule", "Rules in versions."),
    "serve": (f"{_HERE}.entrypoints.processes:serve", "Run the web and API process."),
    "synthesize": (f"{_HERE}.synthetic.commands:synthesize", "Scenes with known truth, as files."),
    "token": ("foundation.access.commands:token", "API tokens."),
    "watchlist": (f"{_HERE}.watchlists.commands:watchlist", "Watch lists of faces and plates."),
    "usage": (f"{_HERE}.usage.commands:usage", "Camera hours and alarms."),
    "whoami": ("foundation.access.commands:whoami", "Who you are to the service."),
    "worker": (f"{_HERE}.entrypoints.processes:worker", "Watch cameras; who watches what."),
}

_SECTIONS = {
    "Cameras": ("camera", "rule", "permit"),
    "What happened": ("event", "evidence", "incident", "search", "read", "cover"),
    "Who is told, what follows": ("receiver", "linkage", "export"),
    "Administrators": ("department", "person", "watchlist", "operation", "audit", "usage"),
    "Account": ("login", "logout", "whoami", "token", "context", "completion"),
    "Quality": ("evaluate", "synthesize"),
    "The service itself": ("serve", "worker", "db", "administrator", "config", "models"),
}


@click.group(
    cls=LazyGroup,
    members=_MEMBERS,
    sections=_SECTIONS,
    program="borough-video",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, "
    "6 wait timed out.",
)
@click.version_option(package_name="borough", prog_name="borough-video")
def video() -> None:
    """Cameras of any vendor, watched for what a city cares about."""


def main() -> None:
    """The console script."""
    video(prog_name="borough-video")


if __name__ == "__main__":
    main()
