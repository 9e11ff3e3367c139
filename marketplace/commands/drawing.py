"""What commands draw as text: quotes, reviews and columns of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any


def inputs_of(item: Mapping[str, Any]) -> str:
    """The names of an offering's inputs; * is required."""
    schema = item.get("inputs_schema") or {}
    required = set(schema.get("required", ()))
    names = schema.get("properties", {})
    return ", ".join(f"{name}*" if name in required else name for name in names)


def lead_time_of(lead: Mapping[str, Any]) -> str | None:
    """A measured lead time in words; None before the first order."""
    if not lead["count"]:
        return None
    return f"median {lead['median_seconds']:.0f} s, 95 % under {lead['p95_seconds']:.0f} s"


_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "same": " ", "read": " "}


def _money(value: Mapping[str, Any]) -> str:
    """Two decimals are enough for a person; `-o json` has all of them."""
    return f"{float(value['amount']):,.2f} {value['currency']}"


def quoted(quote: Mapping[str, Any]) -> str:
    """A quote."""
    lines = [
        f"Month        {_money(quote['price']['month'])}",
        f"Year         {_money(quote['price']['year'])}",
        f"Once         {_money(quote['price']['one_time'])}",
    ]
    if quote["before"] is not None:
        lines.append(f"Month now    {_money(quote['before'])}")
    lines += [
        (
            f"Contract     {quote['contract_number']}: {_money(quote['encumbrance'])} would be "
            f"held for {quote['months']} months, {_money(quote['remaining'])} are left"
        ),
        f"Lead time    {lead_time_of(quote['lead_time']) or 'not measured yet'}",
        f"Approvals    {', '.join(step['name']['en'] for step in quote['approvals'])}",
        *_quota_lines(quote["quota"]),
        *_finding_lines(quote["findings"]),
    ]
    return "\n".join(lines)


def reviewed(review: Mapping[str, Any]) -> str:
    """Everything an approver decides on."""
    order_, price = review["order"], review["price"]
    lines = [
        (
            f"Order        {order_['id']}: {order_['kind']} {order_['name']} "
            f"({order_['offering']} {order_['plan']}), {order_['state']}"
        ),
        f"Requested by {order_['requester_name']}: {order_['justification']}",
        f"Digest       {review['digest']}",
        f"Month        {_money(review['before'])} → {_money(price['month'])}",
        f"Once         {_money(price['one_time'])}",
        (
            f"Contract     {review['contract_number']}: {_money(review['encumbrance'])} would be "
            f"held, {_money(review['remaining'])} are left"
        ),
    ]
    if review["preparation"]:
        lines.append("First, the tenancy is prepared in the region:")
        lines += _change_lines(review["preparation"]["changes"])
    lines.append("Resources:")
    lines += _change_lines(review["changes"])
    lines += _quota_lines(review["quota"])
    lines += _finding_lines(review["findings"])
    for given in review["given"]:
        lapsed = " (lapsed)" if given["lapsed_at"] else ""
        lines.append(
            f"{given['decision'].capitalize()} by {given['approver_name']}, {given['at']}{lapsed}"
        )
    for step in review["missing"]:
        lines.append(f"Missing      {step['name']['en']}: {step['role']} on {step['path']}")
    for difference in order_["difference"] or ():
        lines.append(f"Changed      {difference['message']['en']}")
    if not review["may_decide"]:
        lines.append(f"You cannot decide: {review['why_not']}")
    return "\n".join(lines)


def _change_lines(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"  {_SIGNS.get(c['op'], '?')} {c['name']}  {c['type']}" for c in changes]


def _quota_lines(quota: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"Quota        {line['level']}: {line['resource']} {line['held']} → {line['after']}"
        + (f" of {line['limit']}" if line["limit"] is not None else "")
        + ("" if line["fits"] else "  DOES NOT FIT")
        for line in quota
    ]


def _finding_lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"Finding      {f['severity']}: {f['message']['en']}{_waiver(f)}" for f in findings]


def _waiver(finding: Mapping[str, Any]) -> str:
    waiver = finding.get("waiver")
    if not waiver:
        return ""
    return f" (waived until {waiver['ends_at']} by {waiver['id']}: {waiver['reason']})"


def markdown(services: Sequence[Mapping[str, Any]]) -> str:
    """Planned services as a comment on a pull request."""
    lines = ["<!-- borough plan -->", "## Borough plan", ""]
    for item in services:
        lines += [f"### {_cell(item['name'])}", "", *_service_lines(item), ""]
    return "\n".join(lines)


def _service_lines(item: Mapping[str, Any]) -> list[str]:
    order, review = item["order"], item["review"]
    if order is None:
        return ["Nothing to do: the service is as declared."]
    state = "**needs approval**" if item["needs_approval"] else f"is {item['standing']}"
    lines = [f"Order `{order['id']}` ({order['kind']}) {state}."]
    if item["changes"]:
        lines += ["", "| field | now | then |", "| --- | --- | --- |"]
        lines += [
            f"| `{_code(c['field'])}` | {_cell(c['before'])} | {_cell(c['after'])} |"
            for c in item["changes"]
        ]
    if review is None:
        return lines
    price = review["price"]
    lines += [
        "",
        "| price | now | then |",
        "| --- | ---: | ---: |",
        f"| a month | {_money(review['before'])} | {_money(price['month'])} |",
        f"| once | | {_money(price['one_time'])} |",
        "",
        (
            f"Contract {_cell(review['contract_number'])}: {_money(review['encumbrance'])} would "
            f"be held, {_money(review['remaining'])} are left."
        ),
        "",
        "<details><summary>Resources</summary>",
        "",
        "```diff",
        *_change_lines((review["preparation"] or {}).get("changes", ())),
        *_change_lines(review["changes"]),
        "```",
        "",
        "</details>",
    ]
    if review["quota"]:
        lines += ["", "| quota | now | then | limit | |", "| --- | ---: | ---: | ---: | --- |"]
        lines += [
            f"| {_cell(q['level'])} {q['resource']} | {q['held']} | {q['after']} | "
            f"{q['limit'] or '–'} | {'' if q['fits'] else '**does not fit**'} |"
            for q in review["quota"]
        ]
    lines += ["", *(f"- {f['severity']}: {_cell(f['message']['en'])}" for f in review["findings"])]
    lines += [
        f"Missing: {s['name']['en']} ({s['role']} on `{s['path']}`)" for s in review["missing"]
    ]
    return [*lines, "", f"Digest `{review['digest']}`"]


def _code(name: str) -> str:
    """A name between backticks in a cell."""
    return name.replace("`", "").replace("|", "\\|").replace("\n", " ")


def _cell(value: object) -> str:
    """A value that stays in its cell and is no markup."""
    text = "–" if value is None else str(value)
    for sign in "\\|`<>[]*_":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")
