"""What the rules about things left and taken, water plants and building sites can be told."""

from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.schemas import (
    Schema,
    choice,
    number,
    percent,
    schema,
    seconds,
    whole,
)

_SIZES = {
    "minimum_size_percent": percent(
        "Smallest size, of the frame's area", "最小尺寸（占画面面积）", 0.05, 0.01
    ),
    "maximum_size_percent": percent(
        "Largest size, of the frame's area", "最大尺寸（占画面面积）", 6.0, 0.05
    ),
}

_CLOCK = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}

PARAMETERS: dict[RuleKind, Schema] = {
    RuleKind.OBJECT_ABANDONED: schema(
        "Object abandoned",
        "遗留物",
        {
            "seconds": seconds("Told when alone for", "无人看管超过", 20.0, 3.0),
            "distance_heights": number(
                "Alone when its owner is farther than, in heights of a person",
                "主人远离超过（以人身高为单位）",
                1.5,
                0.3,
                10.0,
            ),
            **_SIZES,
        },
        points="field?",
        onvif="tt:ObjectIsAbandoned",
        description="Somebody put a thing down and went away.",
        zh_description="有人放下物品后离开。",
    ),
    RuleKind.OBJECT_REMOVED: schema(
        "Object removed",
        "物品搬移",
        {
            "seconds": seconds("Told when gone for", "消失超过", 8.0, 3.0),
            "present_seconds": seconds("It must have stood there for", "此前须停留至少", 120.0),
            **_SIZES,
        },
        points="field?",
        onvif="tt:ObjectIsRemoved",
        description="A thing that belonged to the place was taken away.",
        zh_description="原有物品被搬走。",
    ),
    RuleKind.VEGETATION: schema(
        "Plants on water",
        "水面浮萍",
        {
            "threshold_percent": percent("Alert at cover of", "覆盖率达到时告警", 30.0, 1.0),
            "clear_percent": percent("Ended when cover is below", "覆盖率低于此值时结束", 20.0),
            "forecast_days": whole(
                "Alert when the threshold is expected within, days",
                "预计多少天内达到阈值时告警",
                5,
                0,
                60,
            ),
            "window_days": whole("Growth over the last, days", "增长率统计天数", 10, 4, 60),
            "minimum_frames": whole("Good frames a day, at least", "每日有效帧数至少", 6, 1, 500),
            "sample_minutes": number("Looked at every", "取样间隔", 10.0, 0.1, 240.0, "min"),
            "hue_low": whole("Hue of the plants from, degrees", "植物色相下限（度）", 56, 0, 360),
            "hue_high": whole("Hue of the plants to, degrees", "植物色相上限（度）", 150, 0, 360),
            "saturation_percent": percent("Saturation at least", "饱和度至少", 24.0),
        },
        points="field",
        description="How much of the water is covered, how fast it grows, and when it is too much.",
        zh_description="统计水面植物覆盖率、增长率并预测超标日期。",
    ),
    RuleKind.CONSTRUCTION: schema(
        "Construction at forbidden hours",
        "禁止时段施工",
        {
            "forbidden": choice(
                "Forbidden",
                "禁止时段",
                "hours",
                {
                    "hours": ("In the hours below", "按下列时间"),
                    "night": ("After civil dusk until civil dawn", "民用昏影终至晨光始"),
                },
            ),
            "from": {
                **_CLOCK,
                "title": "Forbidden from (local time)",
                "x-zh": {"title": "禁止开始（当地时间）"},
                "default": "22:00",
            },
            "until": {
                **_CLOCK,
                "title": "Forbidden until (local time)",
                "x-zh": {"title": "禁止结束（当地时间）"},
                "default": "06:00",
            },
            "permits": {
                "type": "array",
                "title": "Permits",
                "x-zh": {"title": "许可"},
                "maxItems": 1000,
                "default": [],
                "items": {
                    "type": "object",
                    "required": ["from", "until"],
                    "additionalProperties": False,
                    "properties": {
                        "from": {"type": "string", "format": "date-time"},
                        "until": {"type": "string", "format": "date-time"},
                    },
                },
            },
            "seconds": seconds("Told when at work for", "持续施工超过", 60.0, 5.0),
            "clear_seconds": seconds("Ended when at rest for", "停工多久后结束", 600.0, 10.0),
            "minimum_size_percent": percent(
                "Smallest machine, of the frame's area", "最小机械尺寸（占画面面积）", 2.0, 0.05
            ),
        },
        points="field",
        description="Machines work on a site when they may not.",
        zh_description="工地在禁止时段有机械作业。",
    ),
}
