"""Durable work of provisioning: what is done to a deployment outside of an order."""

from typing import Any

from control_plane.provisioning.graph import EngineEvent, EventKind
from control_plane.provisioning.model import Deployment, DeploymentState
from control_plane.provisioning.ports import OnEvent
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import BoroughError
from foundation.operations.jobs import Context, Job

APPLY = "deployment.apply"
DESTROY = "deployment.destroy"


class DeploymentFailed(BoroughError):
    """A cloud refused part of it; ``details`` name the deployment, which can be tried again."""

    code = "deployment_failed"


class Stop:
    """Asks an operation whether its work should stop."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def is_set(self) -> bool:
        """Whether somebody asked for that."""
        return self._ctx.cancelled()


def events_to(ctx: Context) -> OnEvent:
    """Passes an engine's live events on to those who watch the operation."""

    def tell(event: EngineEvent) -> None:
        data: dict[str, Any] = {"message": event.message}
        if event.kind is EventKind.RESOURCE:
            data |= {
                "urn": event.urn,
                "resource_type": event.type,
                "resource": event.name,
                "op": event.op,
                "progress": event.progress,
            }
        ctx.emit(f"engine.{event.kind.value}", data)

    return tell


def outcome(deployment: Deployment) -> dict[str, Any]:
    """What a step keeps of a deployment.

    Raises:
        DeploymentFailed: it is not as it was ordered.
    """
    if deployment.state is DeploymentState.FAILED:
        raise DeploymentFailed(
            deployment.error or "the deployment failed", deployment=deployment.id
        )
    return {"deployment": deployment.id, "state": deployment.state}


def handlers(provisioning: Provisioning) -> dict[str, Job]:
    """The kinds of operations that provisioning does."""

    def apply(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        return ctx.step(
            "apply",
            lambda: outcome(
                provisioning.apply(
                    ctx.inputs["plan"],
                    operation=ctx.operation_id,
                    digest=ctx.inputs["digest"],
                    on_event=events_to(ctx),
                    cancel=Stop(ctx),
                )
            ),
        )

    def destroy(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        return ctx.step(
            "destroy",
            lambda: outcome(
                provisioning.destroy(
                    ctx.subject,
                    operation=ctx.operation_id,
                    on_event=events_to(ctx),
                    cancel=Stop(ctx),
                )
            ),
        )

    return {APPLY: Job(apply, steps=("apply",)), DESTROY: Job(destroy, steps=("destroy",))}
