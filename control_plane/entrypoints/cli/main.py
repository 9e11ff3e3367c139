"""``borough``: every command by name; each is loaded when it is run."""

import click

from foundation.surface.cli.lazy import LazyGroup

_MEMBERS = {
    "administrator": (
        "control_plane.entrypoints.cli.processes:administrator",
        "Add the first administrator.",
    ),
    "apply": ("control_plane.entrypoints.cli.apply:apply", "Bring declared things about."),
    "approval": ("marketplace.commands:approval", "Approvals: decide orders by plan and price."),
    "audit": ("foundation.access.commands:audit", "The audit log."),
    "binding": ("control_plane.provisioning.bindings.commands:binding", "Your credentials."),
    "blueprint": (
        "control_plane.provisioning.registry.commands:blueprint",
        "Blueprints and revisions.",
    ),
    "campaign": (
        "control_plane.provisioning.campaigns.commands:campaign",
        "Newer versions for many deployments.",
    ),
    "catalog": ("marketplace.commands:catalog", "The catalogue: offerings and plans."),
    "completion": ("foundation.surface.cli.commands:completion", "Shell completion."),
    "config": ("control_plane.entrypoints.cli.processes:config", "Settings of this environment."),
    "context": ("foundation.surface.cli.commands:context", "Platforms you signed in to."),
    "contract": ("marketplace.commands:contract", "Contracts: terms, and what is left."),
    "db": ("control_plane.entrypoints.cli.processes:db", "The database's schema."),
    "demo": ("control_plane.entrypoints.demo:demo", "Start a demonstration city."),
    "deploy": ("marketplace.commands.pipelines:deploy", "Bring declared services about, for CI."),
    "deployment": ("control_plane.provisioning.commands:deployment", "What is deployed."),
    "diff": ("control_plane.entrypoints.cli.apply:diff", "What apply would change."),
    "drift": ("control_plane.provisioning.drift.commands:drift", "What was changed by hand."),
    "identity-rule": (
        "foundation.access.workload_identity.commands:identity_rule",
        "Which CI workloads are let in.",
    ),
    "import": ("control_plane.provisioning.imports.commands:import_", "Take in what is there."),
    "inventory": (
        "control_plane.provisioning.commands:inventory",
        "What was made in the regions.",
    ),
    "issuer": (
        "foundation.access.workload_identity.commands:issuer",
        "Trusted issuers of CI tokens.",
    ),
    "login": ("foundation.access.commands:login", "Sign in to a platform."),
    "logout": ("foundation.access.commands:logout", "Sign out of a platform."),
    "migration": ("control_plane.tenancy.migration.commands:migration", "Systems on their way."),
    "operation": ("foundation.operations.commands:operation", "Long work: watch, cancel."),
    "order": ("marketplace.commands:order", "Orders: what a department asks for."),
    "organisation": ("control_plane.tenancy.commands:organisation", "The city's tree."),
    "person": ("foundation.access.commands:person", "People and their roles."),
    "playbook": (
        "control_plane.provisioning.playbooks.commands:playbook",
        "Hardening, patching and more on servers.",
    ),
    "policy": (
        "control_plane.provisioning.policies.commands:policy",
        "Policies, packs and waivers.",
    ),
    "plan": ("marketplace.commands.pipelines:plan", "Plan declared services, for CI."),
    "quota": ("control_plane.tenancy.commands:quota", "Limits, and what is used."),
    "region": ("control_plane.provisioning.fleet.commands:region", "Regions and their capacity."),
    "serve": ("control_plane.entrypoints.cli.processes:serve", "Run the web and API process."),
    "service": ("marketplace.commands:service", "Services: what a department has."),
    "statement": ("control_plane.billing.commands:statement", "A department's bills."),
    "system": ("control_plane.tenancy.commands:system", "The register of systems."),
    "tenancy": ("control_plane.tenancy.commands:tenancy", "Rooms in the cloud."),
    "token": ("foundation.access.commands:token", "API tokens."),
    "usage": ("control_plane.metering.commands:usage", "Usage: push and list."),
    "whoami": ("foundation.access.commands:whoami", "Who you are to the platform."),
    "worker": ("control_plane.entrypoints.cli.processes:worker", "Run a worker."),
}

_SECTIONS = {
    "Departments": (
        "catalog",
        "order",
        "approval",
        "service",
        "binding",
        "plan",
        "deploy",
        "contract",
        "deployment",
        "inventory",
        "usage",
        "statement",
    ),
    "Administrators": (
        "organisation",
        "system",
        "tenancy",
        "quota",
        "migration",
        "region",
        "import",
        "blueprint",
        "campaign",
        "policy",
        "drift",
        "playbook",
        "operation",
        "person",
        "issuer",
        "identity-rule",
        "apply",
        "diff",
        "audit",
    ),
    "Account": ("login", "logout", "whoami", "token", "context", "completion"),
    "The platform itself": ("demo", "serve", "worker", "db", "administrator", "config"),
}


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms that others do not pay

        click.echo(f"borough {version('borough')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    members=_MEMBERS,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, "
    "6 wait timed out, 7 needs approval.",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
    help="Show the version and exit.",
)  # fmt: skip
def borough() -> None:
    """A city's cloud: departments order, the city approves, Borough provisions and bills."""


def main() -> None:
    """The console script."""
    borough(prog_name="borough")


if __name__ == "__main__":
    main()
