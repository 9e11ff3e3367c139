"""What rules that need a model can be told, in the shape of ``parameters.py``."""

from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.models.classes import CLASSES, IN_CHINESE
from workloads.video_analytics.vision.schemas import Schema, number, schema, seconds, whole

_EVERY = number("Looked at most every", "最短识别间隔", 0.4, 0.1, 60.0, "s")
_LOOKS = whole("Believed after so many looks", "连续识别多少次后确认", 2, 1, 20)
_GONE = seconds("Ended when gone for", "消失多久后结束", 5.0, 0.5)
_STILL = seconds("Goes on while it stands still, at most", "静止后最多持续", 30.0)


def _least(default: float) -> Schema:
    return number("Surest that counts, at least", "最低置信度", default, 0.3, 1.0)


def _lists(title: str, zh: str) -> Schema:
    return {
        "type": "array",
        "title": title,
        "x-zh": {"title": zh},
        "x-of": "watchlists",
        "items": {"type": "string", "minLength": 1, "maxLength": 40},
        "maxItems": 20,
        "uniqueItems": True,
        "default": [],
    }


PARAMETERS_MODELS: dict[RuleKind, Schema] = {
    RuleKind.OBJECT_CLASS: schema(
        "Things of a class",
        "目标类别识别",
        {
            "classes": {
                "type": "array",
                "title": "Classes",
                "x-zh": {"title": "目标类别", "enum": dict(IN_CHINESE)},
                "items": {"type": "string", "enum": list(CLASSES)},
                "minItems": 1,
                "maxItems": 20,
                "uniqueItems": True,
                "default": ["person"],
            },
            "minimum_score": _least(0.4),
            "ignored": {
                "type": "array",
                "title": "What stands there always (x, y, width, height: 0 to 1)",
                "x-zh": {"title": "忽略的固定物体（x、y、宽、高，0 到 1）"},
                "items": {
                    "type": "array",
                    "items": {"type": "number", "minimum": 0, "maximum": 1},
                    "minItems": 4,
                    "maxItems": 4,
                },
                "maxItems": 20,
                "default": [],
            },
            "every_seconds": _EVERY,
            "looks": _LOOKS,
            "clear_seconds": _GONE,
            "still_seconds": _STILL,
        },
        points="field?",
        onvif="tt:ObjectDetection",
        description="A moving thing of a class. Overhead cameras claim no classes.",
        zh_description="出现指定类别的移动目标。俯视相机不作类别判断。",
    ),
    RuleKind.FACE: {
        **schema(
            "Faces of a watch list",
            "重点人员人脸",
            {
                "watchlists": {
                    **_lists("Watch lists of faces", "人脸名单"),
                    "minItems": 1,
                },
                "maximum_distance": number(
                    "Alike when closer than (0 to 1)", "人脸特征距离低于此为同一人", 0.5, 0.2, 0.6
                ),
                "minimum_pixels": whole(
                    "Narrowest face, pixels", "最小人脸宽度（像素）", 40, 20, 1000
                ),
                "every_seconds": _EVERY,
                "looks": _LOOKS,
                "clear_seconds": _GONE,
                "still_seconds": _STILL,
            },
            points="field?",
            onvif="tt:FaceRecognition",
            description="Somebody on an authorised watch list; of others nothing is said or kept.",
            zh_description="发现经批准名单中的人员；对其他人员不作任何记录。",
        ),
        "required": ["watchlists"],
    },
    RuleKind.PLATE: schema(
        "Number plates",
        "车牌识别",
        {
            "watchlists": _lists(
                "Watch lists of plates (empty: every plate is told)",
                "车牌名单（留空则报告全部车牌）",
            ),
            "minimum_score": _least(0.8),
            "every_seconds": _EVERY,
            "looks": _LOOKS,
            "clear_seconds": _GONE,
            "still_seconds": _STILL,
        },
        points="field?",
        onvif="tt:LicensePlateRecognition",
        description="A number plate of mainland China that was read the same way several times.",
        zh_description="多次一致读出的中国大陆机动车号牌。",
    ),
}
