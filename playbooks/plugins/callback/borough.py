"""Tells what a run does as lines of JSON, one a line, into the file that BOROUGH_EVENTS names.

Ansible loads this file into its own process; nothing of the platform imports it, and it imports
nothing of the platform. The lines are read by ``control_plane/adapters/ansible``.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: borough
type: stdout
short_description: events of a run as lines of JSON
description:
  - Writes one JSON object a line into the file that the environment variable BOROUGH_EVENTS names.
"""

_LONGEST = 2000
_LONGEST_DIFF = 8000
_HIDDEN = "the output of this task is not shown"


def _cut(text, most=_LONGEST):
    text = str(text)
    return text if len(text) <= most else text[:most] + " […]"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "borough"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._into = open(os.environ["BOROUGH_EVENTS"], "w", buffering=1, encoding="utf-8")  # noqa: SIM115
        self._begun = {}

    def _tell(self, kind, **data):
        self._into.write(json.dumps({"event": kind, **data}, ensure_ascii=True) + "\n")

    # The run ----------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play):
        self._tell("play", name=_cut(play.get_name()))

    def v2_playbook_on_no_hosts_matched(self):
        self._tell("nobody")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._tell("task", name=_cut(task.get_name()), action=task.action)

    def v2_playbook_on_handler_task_start(self, task):
        self._tell("task", name=_cut(task.get_name()), action=task.action)

    def v2_playbook_on_stats(self, stats):
        for host in sorted(stats.processed):
            self._tell("host", host=host, **stats.summarize(host))
        self._tell("end")

    # One task on one host ---------------------------------------------------------------------

    def v2_runner_on_start(self, host, task):
        self._begun[host.get_name(), task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result):
        self._result("changed" if result._result.get("changed") else "ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result):
        self._result("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._result("skipped", result)

    def v2_runner_retry(self, result):
        self._result("again", result)

    def v2_runner_item_on_failed(self, result):
        self._result("item_failed", result)

    def _result(self, status, result):
        host, task, found = result._host.get_name(), result._task, result._result
        seconds = time.monotonic() - self._begun.get((host, task._uuid), time.monotonic())
        # What a task hides is judged by the task as well as by what it answered.
        hidden = bool(getattr(task, "no_log", False)) or bool(found.get("_ansible_no_log"))
        self._tell(
            "result",
            host=host,
            task=_cut(task.get_name()),
            action=task.action,
            status=status,
            message=_HIDDEN
            if hidden and status not in {"ok", "skipped"}
            else self._said(status, found, hidden),
            diff="" if hidden else self._difference(found),
            seconds=round(seconds, 3),
        )

    def _said(self, status, found, hidden):
        if hidden or status in {"ok", "changed"}:
            return ""
        if status == "skipped":
            return _cut(found.get("skip_reason", ""))
        parts = [found.get("msg", ""), found.get("stderr", ""), found.get("module_stderr", "")]
        return _cut("\n".join(str(part).strip() for part in parts if part))

    def _difference(self, found):
        if not found.get("changed"):
            return ""
        parts = found.get("diff")
        for item in found.get("results", ()):
            if isinstance(item, dict) and item.get("diff"):
                parts = [
                    *(parts if isinstance(parts, list) else [parts] if parts else []),
                    item["diff"],
                ]
        return _cut(self._get_diff(parts) if parts else "", _LONGEST_DIFF)
