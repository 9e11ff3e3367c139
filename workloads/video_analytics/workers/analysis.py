"""Makes the analysis of a camera: the one place of a lane that knows ``vision``."""

from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import Analyser, CameraView, RuleSpec, Tier


def make(view: CameraView, rules: tuple[RuleSpec, ...], tier: Tier) -> Analyser:
    """The analysis of a camera."""
    return CameraAnalyser(view, rules, tier)
