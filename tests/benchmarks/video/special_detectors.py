"""What was left and taken, sites and rivers: precision, recall, milliseconds a look.

The peer in the same run is OpenCV's MOG2 on the same frames. ``CLIPS`` is how many clips of a set
are taken (all by default).
"""

import os
import time
from collections.abc import Callable, Sequence
from itertools import islice

import cv2

from tests.harness.scenes import judge_all
from workloads.video_analytics.synthetic import sets, sites, trials
from workloads.video_analytics.synthetic.river import River
from workloads.video_analytics.synthetic.scene import Picture, Scene
from workloads.video_analytics.vision import detectors
from workloads.video_analytics.vision.model import CameraView, RuleKind, RuleSpec
from workloads.video_analytics.vision.ports import Sight

_CLIPS = int(os.environ.get("CLIPS", "0")) or None


def accuracy(title: str, clips: dict[str, Callable[[], Scene]], kinds: Sequence[RuleKind]) -> None:
    chosen = list(islice(clips.items(), _CLIPS))
    for kind, verdict in judge_all(chosen, kinds).items():
        print(f"{title:8} {len(chosen):3} clips  {kind.value:18} {verdict}")
        for story in verdict.stories:
            print(f"         {story}")


def milliseconds(work: Callable[[Picture], object], pictures: Sequence[Picture]) -> float:
    began = time.process_time()  # of this process: the machine is shared
    for picture in pictures:
        work(picture)
    return (time.process_time() - began) / len(pictures) * 1000


def looking(kind: RuleKind, **parameters: object) -> Callable[[Picture], object]:
    found = detectors.make(RuleSpec("r", 1, kind, (), parameters), CameraView("c"))
    assert found is not None

    def look(picture: Picture) -> object:
        frame = picture.frame
        return found.look(Sight(frame, frame.luma, picture.truth, moving=True))

    return look


def cost() -> None:
    pictures = list(sets.CLIPS["left-hall-busy-4"]().pictures())
    mixture = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
    peer = milliseconds(lambda picture: mixture.apply(picture.frame.luma), pictures)
    print(f"MOG2, grey                {peer:6.2f} ms a frame at 320 × 180")
    everyday = {"from": "00:00", "until": "23:59"}
    for kind, parameters in (
        (RuleKind.OBJECT_ABANDONED, {}),
        (RuleKind.OBJECT_REMOVED, {}),
        (RuleKind.CONSTRUCTION, everyday),
    ):
        took = milliseconds(looking(kind, **parameters), pictures)
        print(f"{kind.value:25} {took:6.2f} ms a frame, {took / peer:4.1f} × MOG2, at 5 a second")
    river = list(River(days=1, minutes=20).pictures())
    took = milliseconds(looking(RuleKind.VEGETATION, sample_minutes=0.1), river)
    print(f"{'vegetation':25} {took:6.2f} ms a look; 6 looks an hour")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    cost()
    accuracy("objects", sets.CLIPS, (RuleKind.OBJECT_ABANDONED, RuleKind.OBJECT_REMOVED))
    accuracy("trials", trials.CLIPS, (RuleKind.OBJECT_ABANDONED, RuleKind.OBJECT_REMOVED))
    accuracy("held out", trials.HELD_OUT, (RuleKind.OBJECT_ABANDONED, RuleKind.OBJECT_REMOVED))
    accuracy("sites", sites.CLIPS, (RuleKind.CONSTRUCTION,))
