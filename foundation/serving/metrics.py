"""``/metrics`` for Prometheus: requests by route and status, latency, and figures of services.

Labels hold routes, never addresses: an address holds ids, and there are as many as things.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_log = logging.getLogger("borough.metrics")


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that is asked for when the metrics are read.

    Attributes:
        name: ``borough_…``, with its unit at the end when it has one.
        help: one line.
        label: what the values are told apart by, such as ``state``.
        values: asks for the value of each label.
    """

    name: str
    help: str
    label: str
    values: Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Described:
    """What one metric is, for the reference.

    Attributes:
        name: as Prometheus sees it, without ``_total`` and ``_bucket``.
        kind: counter, histogram or gauge.
        labels: what its values are told apart by.
        help: one line.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


_REQUESTS = Described(
    "borough_http_requests", "counter", ("method", "route", "status"), "Requests answered."
)
_SECONDS = Described(
    "borough_http_request_duration_seconds", "histogram", ("method", "route"),
    "Time from the request to its answer.",
)  # fmt: skip


def describe(gauges: tuple[Gauge, ...]) -> list[Described]:
    """All metrics of an application with these gauges; nothing is asked for."""
    asked = [Described(each.name, "gauge", (each.label,), each.help) for each in gauges]
    return [_REQUESTS, _SECONDS, *asked]


class Figures:
    """The metrics of one application, in a registry of its own."""

    def __init__(self, gauges: tuple[Gauge, ...]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            _REQUESTS.name, _REQUESTS.help, _REQUESTS.labels, registry=self.registry
        )
        self.seconds = Histogram(
            _SECONDS.name, _SECONDS.help, _SECONDS.labels, buckets=_BUCKETS, registry=self.registry
        )
        self.registry.register(_Asked(gauges))

    def exposition(self) -> tuple[bytes, str]:
        """The metrics as text, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Asked(Collector):
    def __init__(self, gauges: tuple[Gauge, ...]) -> None:
        self._gauges = gauges

    def describe(self) -> list[Metric]:
        """The names; nothing is asked for them."""
        return [GaugeMetricFamily(gauge.name, gauge.help) for gauge in self._gauges]

    def collect(self) -> Iterator[Metric]:
        """Ask for all; a figure that cannot be had is left out, the others are shown."""
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.help, labels=[gauge.label])
            try:
                for label, value in gauge.values().items():
                    family.add_metric([label], value)
            except Exception:  # noqa: BLE001 - one figure must not cost the others
                _log.warning("no figure for %s", gauge.name, exc_info=True)
            yield family


def install(app: Flask, gauges: tuple[Gauge, ...]) -> Figures:
    """Count and time every request of an application."""
    figures = Figures(gauges)

    def begin() -> None:
        g.borough_began = time.perf_counter()

    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "(none)"
        method = request.method if request.url_rule else "(any)"
        figures.requests.labels(method, route, str(response.status_code)).inc()
        began: float | None = g.get("borough_began")
        if began is not None:
            figures.seconds.labels(method, route).observe(time.perf_counter() - began)
        return response

    app.before_request(begin)
    app.after_request(end)
    return figures
