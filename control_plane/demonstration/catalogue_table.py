"""The table of all services and their honest state, as ``docs/catalogue.md`` holds it.

``python -m control_plane.demonstration.catalogue_table FILE`` writes the file anew.
"""

import sys
from collections import Counter
from pathlib import Path

from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import Availability, City, Offering

_STATES = {
    Availability.ORDERABLE: "orderable",
    Availability.PLANNED: "planned",
    Availability.EXTERNAL: "from an external broker",
}
_HEAD = """# Catalogue of the demonstration city

{count} services in {categories} categories. **{orderable} can be ordered in this release**: what a
bundled blueprint really provisions. The other {rest} are listed with their plans and prices, say
why they cannot be ordered, and cannot be ordered by any surface. A test holds this table to
`control_plane/demonstration/data/catalogue/`; write it anew with
`python -m control_plane.demonstration.catalogue_table docs/catalogue.md`.

| state | services |
| --- | ---: |
{states}
"""


def render(city: City) -> str:
    """The whole page."""
    counts = Counter(one.availability for one in city.offerings)
    orderable = counts[Availability.ORDERABLE]
    parts = [
        _HEAD.format(
            count=len(city.offerings),
            categories=len(city.categories),
            orderable=orderable,
            rest=len(city.offerings) - orderable,
            states="\n".join(f"| {word} | {counts[state]} |" for state, word in _STATES.items()),
        )
    ]
    for category in city.categories:
        parts.append(
            f"\n## {category.name.en} · {category.name.zh}\n\n"
            "| service | 服务 | state | maturity | why | plans |\n"
            "| --- | --- | --- | --- | --- | --- |\n"
        )
        parts += [_row(one) for one in city.offerings if one.category == category.slug]
    return "".join(parts)


def _row(offering: Offering) -> str:
    plans = ", ".join(plan.name.en for plan in offering.plans)
    state = _STATES[offering.availability]
    return (
        f"| {offering.name.en} (`{offering.slug}`) | {offering.name.zh} | "
        f"{f'**{state}**' if offering.orderable else state} | {offering.maturity} | "
        f"{offering.availability_note.en} | {plans} |\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(load_city()), encoding="utf-8")
