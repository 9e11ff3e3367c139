from tests.contract.provisioning.conftest import (
    cache,
    empty,
    furnished,
    host,
    world,
)

__all__ = ["cache", "empty", "furnished", "host", "world"]
