"""A directory in memory: what is offered there can be asked for."""

from foundation.kernel.text import Text
from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.directory.elements import Element, Masking, Sensitivity


class FakeCatalogue:
    """Offers what is put in."""

    def __init__(self, *offered: Offered) -> None:
        self.all = {(one.dataset, one.service): one for one in offered}

    def offered(self, dataset: str, service: str) -> Offered | None:
        return self.all.get((dataset, service))

    def put(self, offered: Offered) -> None:
        self.all[offered.dataset, offered.service] = offered

    def withdraw(self, dataset: str, service: str) -> None:
        del self.all[dataset, service]


def households(provider: str) -> Offered:
    """A register of households with fields of every sensitivity and masking."""

    def element(
        name: str, kind: str, masking: Masking, sensitivity: Sensitivity = Sensitivity.PERSONAL
    ) -> Element:
        title = Text(name.title(), name)
        return Element(name, f"/{name}", title, {"type": kind}, sensitivity, masking)

    return Offered(
        "dst_households",
        "svc_households",
        Text("Households", "户籍"),
        provider,
        (
            element("id", "string", Masking.PSEUDONYM, Sensitivity.SENSITIVE),
            element("name", "string", Masking.PARTIAL),
            element("birth", "string", Masking.GENERALISE),
            element("district", "string", Masking.PARTIAL, Sensitivity.PUBLIC),
            element("income", "number", Masking.OMIT, Sensitivity.SENSITIVE),
            element("members", "integer", Masking.GENERALISE),
            element("registered", "boolean", Masking.PARTIAL),
        ),
        "/records",
        {"type": "object", "properties": {"records": {"type": "array"}}},
    )
