"""What the rules of each kind can be told: the one source of names, units, defaults and limits.

``PARAMETERS`` holds a JSON Schema (2020-12) per kind, for forms, the API and the detectors alike.
Titles are English; Chinese stands beside them in ``x-zh``. Units are in the names of parameters.
``x-onvif`` names the rule of the same meaning in the ONVIF Analytics Service Specification (annex
A), ``x-points`` says what is drawn: ``line``, ``field`` (a polygon), ``field?`` (a polygon, or
nothing for the whole frame), ``line|field``, or nothing.
"""

from collections.abc import Mapping
from typing import Any

from workloads.video_analytics.vision import parameters_models, parameters_special
from workloads.video_analytics.vision.model import RuleKind, RuleSpec
from workloads.video_analytics.vision.schemas import (
    Schema,
    choice,
    number,
    percent,
    schema,
    seconds,
    whole,
)

#: What every rule about single things can ask of them.
THING: Mapping[str, Schema] = {
    "minimum_size_percent": percent(
        "Smallest size, of the frame's area", "最小尺寸（占画面面积）", 0.05
    ),
    "maximum_size_percent": percent(
        "Largest size, of the frame's area", "最大尺寸（占画面面积）", 60.0
    ),
    "classes": {
        "type": "array",
        "title": "Classes (needs a model; empty: anything)",
        "x-zh": {"title": "目标类别（需要模型；留空表示任意目标）"},
        "items": {"type": "string", "minLength": 1, "maxLength": 40},
        "maxItems": 20,
        "uniqueItems": True,
        "default": [],
    },
    "anchor": choice(
        "Where a thing is",
        "目标定位点",
        "foot",
        {
            "foot": ("At its foot", "底边中点"),
            "centre": ("At its centre (always so on overhead cameras)", "中心点（俯视相机固定）"),
        },
    ),
}

_DIRECTIONS = {
    "any": ("Either way", "双向"),
    "to_right": ("To the right of the line as drawn", "向画线方向的右侧"),
    "to_left": ("To the left of the line as drawn", "向画线方向的左侧"),
}

_LEAVING = seconds("Ended when gone for", "消失多久后结束", 3.0)

PARAMETERS: dict[RuleKind, Schema] = {
    RuleKind.MOTION: schema(
        "Motion",
        "移动侦测",
        {
            "area_percent": percent("Moving share of the field", "区域内移动占比", 0.5, 0.01),
            "after_seconds": seconds("Moving for", "持续移动时间", 0.6),
            "clear_seconds": seconds("Ended when quiet for", "静止多久后结束", 5.0),
        },
        points="field?",
        onvif="tt:MotionRegionDetector",
        description="Something moves.",
        zh_description="画面或区域内有移动。",
    ),
    RuleKind.LINE_CROSSING: schema(
        "Line crossing",
        "越线",
        {"direction": choice("Direction", "方向", "any", _DIRECTIONS), **THING},
        points="line",
        onvif="tt:LineDetector",
        description="A thing crosses a line.",
        zh_description="目标越过画线。",
    ),
    RuleKind.FIELD_ENTRY: schema(
        "Entry into a field",
        "进入区域",
        {
            "after_seconds": seconds("Inside for", "进入后持续时间", 0.4),
            "clear_seconds": _LEAVING,
            **THING,
        },
        points="field",
        onvif="tt:FieldDetector",
        description="A thing that was outside comes into the field.",
        zh_description="目标由区域外进入区域。",
    ),
    RuleKind.FIELD_PRESENCE: schema(
        "Presence in a field",
        "区域内有目标",
        {
            "after_seconds": seconds("Inside for", "停留时间", 1.0),
            "clear_seconds": _LEAVING,
            **THING,
        },
        points="field?",
        onvif="tt:FieldDetector",
        description="A thing is in the field, wherever it came from.",
        zh_description="目标位于区域内，不论来自何处。",
    ),
    RuleKind.LOITERING: schema(
        "Loitering",
        "徘徊",
        {
            "seconds": seconds("In the field for longer than", "在区域内超过", 60.0, 1.0),
            "clear_seconds": seconds("Ended when gone for", "消失多久后结束", 5.0),
            **THING,
        },
        points="field?",
        onvif="tt:LoiteringDetector",
        description="A thing stays in the field, moving about or not.",
        zh_description="目标在区域内长时间停留，无论是否走动。",
    ),
    RuleKind.COUNTING: schema(
        "Counting",
        "计数",
        {
            "of": choice(
                "What is drawn",
                "画的是",
                "line",
                {
                    "line": ("A line: counted to each side", "线：分别统计两个方向"),
                    "field": ("A field: entries and exits", "区域：统计进入与离开"),
                },
            ),
            "interval_seconds": number("Counted over", "统计周期", 900, 60, 86_400, "s"),
            **THING,
        },
        points="line|field",
        onvif="tt:LineCounting",
        description="How many cross a line or go in and out of a field, each way, per interval.",
        zh_description="统计每个周期内越线或进出区域的目标数，分方向。",
    ),
    RuleKind.CROWD: schema(
        "Crowd",
        "人群密度",
        {
            "count": whole("Things in the field, at least", "区域内目标数至少", 10, 2, 1000),
            "cover_percent": percent("or this share of it covered", "或区域被占据比例", 40.0, 1.0),
            "after_seconds": seconds("For", "持续时间", 5.0),
            "clear_seconds": seconds("Ended when below for", "低于阈值多久后结束", 10.0),
        },
        points="field?",
        description="Many things, or a field covered by them.",
        zh_description="区域内目标过多或被占据比例过高。",
    ),
    RuleKind.TAMPERING: schema(
        "Tampering",
        "遮挡与破坏",
        {
            "dark": {
                "type": "boolean",
                "title": "Too dark",
                "x-zh": {"title": "过暗"},
                "default": True,
            },
            "blurred": {
                "type": "boolean",
                "title": "Blurred or covered",
                "x-zh": {"title": "模糊或遮挡"},
                "default": True,
            },
            "moved": {
                "type": "boolean",
                "title": "Moved",
                "x-zh": {"title": "移位"},
                "default": True,
            },
            "frozen": {
                "type": "boolean",
                "title": "Frozen",
                "x-zh": {"title": "画面冻结"},
                "default": True,
            },
            "dark_level": whole(
                "Dark when nearly all is below (of 255)", "几乎全部低于此亮度为暗", 24, 1, 128
            ),
            "sharpness_percent": percent(
                "Blurred when fewer details are left than", "剩余细节低于此比例为模糊", 30.0, 1.0
            ),
            "likeness_percent": percent(
                "Moved when it resembles itself less than", "与原画面相似度低于此为移位", 35.0, 1.0
            ),
            "frozen_seconds": seconds(
                "Frozen when the same for", "画面完全不变多久为冻结", 30.0, 2.0
            ),
            "after_seconds": seconds("Told after", "持续多久后告警", 5.0),
            "clear_seconds": seconds("Ended when fine for", "恢复多久后结束", 5.0),
        },
        points="",
        onvif="tt:TamperDetector",
        description="The picture is dark, blurred, moved or frozen.",
        zh_description="画面过暗、模糊、移位或冻结。",
    ),
    **parameters_special.PARAMETERS,
    **parameters_models.PARAMETERS_MODELS,
}


def with_defaults(kind: RuleKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule was given, and the default of everything else that its kind knows."""
    known = PARAMETERS.get(kind, {}).get("properties", {})
    defaults = {name: item["default"] for name, item in known.items() if "default" in item}
    return {**defaults, **given}


def wants_classes(rule: RuleSpec) -> bool:
    """Whether a rule judges things of some classes alone, which only a model can tell."""
    return bool(with_defaults(rule.kind, rule.parameters).get("classes"))
