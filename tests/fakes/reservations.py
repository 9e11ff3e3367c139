"""Who remembers which quota is given back when a deployment is gone."""


class FakeReservations:
    """Implements imports' ``Reservations``."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []

    def hold_quota(self, deployment: str, key: str) -> None:
        self.kept.append((deployment, key))
