"""The CLI's commands on one stack, while it is held."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from control_plane.adapters.program_host.values import Masker
from control_plane.adapters.pulumi import cli
from control_plane.adapters.pulumi.cli import Ended, OnRaw, PulumiCli
from control_plane.provisioning.ports import Cancellation, EngineError, Run

_PARALLEL = frozenset({"up", "destroy", "refresh", "preview"})


class Commands:
    """Runs commands on the stack of a run.

    Args:
        tool: The CLI.
        run: Whose stack.
        folder: A workspace of the CLI.
        passphrase: Of the stack's secrets.
        masker: Takes the run's secrets out of words.
    """

    def __init__(
        self, tool: PulumiCli, run: Run, folder: Path, passphrase: str, masker: Masker
    ) -> None:
        self._tool = tool
        self._run = run
        self._folder = folder
        self._passphrase = passphrase
        self._masker = masker

    def run(
        self,
        *arguments: str,
        on_event: OnRaw | None = None,
        cancel: Cancellation | None = None,
        seconds: float | None = None,
    ) -> Ended:
        """Run a command to its end, within the run's limit of time or a shorter one."""
        parallel = self._tool.settings.parallel
        bounds = [f"--parallel={parallel}"] if arguments[0] in _PARALLEL else []
        return self._tool.run(
            [*arguments, *bounds, "--stack", self._run.stack.stack],
            self._folder,
            self._passphrase,
            on_event=on_event,
            cancel=cancel,
            seconds=self._run.limits.operation_seconds if seconds is None else seconds,
        )

    def check(self, ended: Ended, what: str) -> None:
        """Raise what a command's failure means.

        Raises:
            StackBusyError: The stack is locked.
            EngineError: Anything else.
        """
        cli.check(ended, what, self._masker.text)

    def export(self) -> dict[str, Any]:
        """Return the stack's state with its secrets in clear.

        Raises:
            EngineError: There is no such stack, or it cannot be read.
        """
        found = self.exported()
        if found is None:
            raise EngineError(f"there is no stack {self._run.stack.stack}")
        return found

    def exported(self) -> dict[str, Any] | None:
        """Return the same; None when there is no such stack.

        Raises:
            EngineError: It cannot be read.
        """
        file = self._folder / "export.json"
        ended = self.run("stack", "export", "--file", str(file), "--show-secrets")
        if cli.no_such_stack(ended):
            return None
        self.check(ended, "reading the state")
        found: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        return found

    def write(self, state: Mapping[str, Any]) -> None:
        """Put another state in the place of the stack's.

        Raises:
            EngineError: It is refused.
        """
        # The file lies in this operation's own folder (mode 0700), which is gone right after.
        file = self._folder / "state.json"
        file.write_text(json.dumps(state))
        try:
            self.check(self.run("stack", "import", "--file", str(file)), "mending the state")
        finally:
            file.unlink()

    def read_again(self, urns: Iterable[str]) -> None:
        """Read some resources anew from their cloud.

        Raises:
            EngineError: The cloud does not answer.
        """
        targets = [f"--target={urn}" for urn in sorted(urns)]
        if targets:
            ended = self.run("refresh", "--yes", "--skip-preview", *targets)
            self.check(ended, "reading what was found")

    def delete(self, urns: Iterable[str]) -> bool:
        """Delete some resources alone; False when that failed."""
        targets = [f"--target={urn}" for urn in sorted(urns)]
        return not targets or not self.run("destroy", "--yes", "--skip-preview", *targets).status
