"""``borough-exchange population``: a city that does not exist, as records or as registries."""

import dataclasses
import json
import sys

import click

from foundation.kernel.canonical import plain
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import MOST
from workloads.data_exchange.population.serve import registries

_SIZE = click.IntRange(1, MOST)


@click.group()
def population() -> None:
    """A synthetic city: nobody in it is real, and equal seeds give equal cities."""


@population.command()
@click.option("--size", type=_SIZE, default=1_200, show_default=True, help="People.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--truth", is_flag=True, help="Only what was planted, a line a household.")
def generate(*, size: int, seed: int, truth: bool) -> None:
    """Write households as JSON, one a line, in constant memory."""
    for one in City(seed, size).households():
        if truth:
            head = one.people[0]
            said: dict[str, object] = {
                "household": one.number,
                "people": [person.number for person in one.people],
                "unqualified": sorted(one.unqualified),
                "rental": head.rental,
                "credit": {person.number: person.credit for person in one.people},
                "businesses": {
                    person.business.code: person.business.case
                    for person in one.people
                    if person.business
                },
            }
        else:
            said = dataclasses.asdict(one)
            said["unqualified"] = sorted(one.unqualified)
        json.dump(said, sys.stdout, ensure_ascii=False, default=_plain)
        sys.stdout.write("\n")


@population.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8093, show_default=True)
@click.option("--size", type=_SIZE, default=1_200, show_default=True, help="People.")
@click.option("--seed", type=int, default=1, show_default=True)
def serve(port: int, size: int, seed: int) -> None:
    """Answer as the registries of a city do, on loopback, until it is interrupted."""
    with registries(City(seed, size), port) as server:
        click.echo(f"{server.url}: POST /<registry>/<question>, PUT /_control/<registry>")
        try:
            server.ending.wait()
        except KeyboardInterrupt:
            click.echo("ended")


def _plain(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else plain(value)
