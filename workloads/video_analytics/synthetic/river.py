"""A river on which duckweed grows, seen in single frames over days, under clouds and glare."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from workloads.video_analytics.synthetic.canvas import MOVING, noise_field
from workloads.video_analytics.synthetic.scene import Picture
from workloads.video_analytics.vision.model import Frame, Image, Point

#: The water in the frame.
WATER = (Point(0.0, 0.42), Point(1.0, 0.34), Point(1.0, 0.97), Point(0.0, 0.97))
ZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class River:
    """Days of frames.

    Attributes:
        cover: share of the water that is covered on the first day.
        growth: a day; 0.08 is 8 %.
        wobble: deviation of a day's cover about its growth, relative: wind moves the mats.
        minutes: between two frames.
        fog_days: days without a good frame.
        clouds, glare: whether there are any.
    """

    seed: int = 1
    days: int = 12
    cover: float = 0.05
    growth: float = 0.08
    wobble: float = 0.03
    minutes: float = 30
    fog_days: tuple[int, ...] = ()
    clouds: bool = True
    glare: bool = True
    width: int = 320
    height: int = 180
    began: datetime = datetime(2026, 5, 31, 16, 0, tzinfo=UTC)  # midnight in Shanghai

    def covers(self) -> list[float]:
        """The true cover of each day."""
        random = np.random.default_rng([self.seed, 21])
        wobbles = np.exp(random.standard_normal(self.days) * self.wobble)
        grown = [self.cover * (1 + self.growth) ** day for day in range(self.days)]
        return [min(0.98, float(cover * w)) for cover, w in zip(grown, wobbles, strict=True)]

    def pictures(self) -> Iterator[Picture]:
        """Frame after frame; the truth marks the plants."""
        random = np.random.default_rng([self.seed, 22])
        size = (self.width, self.height)
        water = np.zeros((self.height, self.width), np.uint8)
        corners = np.array([(p.x * self.width, p.y * self.height) for p in WATER])
        cv2.fillPoly(water, [np.rint(corners).astype(np.int32)], (1,))
        bank = self._bank(random)
        hills = noise_field(random, *size, 26) + 0.5 * noise_field(random, *size, 9)
        for day, cover in enumerate(self.covers()):
            drift = noise_field(random, *size, 20)
            field = hills + 0.25 * drift
            plants = (field > np.quantile(field[water > 0], 1 - cover)) & (water > 0)
            overcast = float(random.uniform(0, 0.5)) if self.clouds else 0.0
            for n in range(int(24 * 60 / self.minutes)):
                at = self.began + timedelta(days=day, minutes=n * self.minutes)
                image = self._picture(random, bank, water, plants, at, overcast)
                if day in self.fog_days:
                    image = (image * 0.1 + 175).astype(np.uint8)
                luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
                truth = np.where(plants, MOVING, 0).astype(np.uint8)
                yield Picture(Frame(at, luma, image, n == 0), truth)

    def _bank(self, random: np.random.Generator) -> Image:
        shade = noise_field(random, self.width, self.height, 6) * 12
        bank = np.array((60, 92, 84), np.float32) + shade[..., None]
        bank[: self.height // 5] = (210, 190, 170)
        return np.asarray(np.clip(bank, 0, 255), np.uint8)

    def _picture(
        self,
        random: np.random.Generator,
        bank: Image,
        water: Image,
        plants: np.ndarray,
        at: datetime,
        overcast: float,
    ) -> Image:
        local = at.astimezone(ZoneInfo(ZONE))
        hour = local.hour + local.minute / 60
        height = math.sin((hour - 5) / 14 * math.pi) if 5 < hour < 19 else 0.0  # noqa: PLR2004
        light = 0.05 + 0.95 * max(0.0, height) ** 0.6 * (1 - overcast)
        size = (self.width, self.height)
        image = bank.astype(np.float32)
        ripple = cv2.resize(
            random.standard_normal((self.height // 2, self.width // 10)).astype(np.float32), size
        )
        surface = np.array((98, 92, 70), np.float32) + ripple[..., None] * 7
        green = np.array((52, 148, 112), np.float32) + random.normal(0, 13, (*water.shape, 1))
        image = np.where((water > 0)[..., None], surface, image)
        image = np.where(plants[..., None], green, image)
        if self.clouds:
            cloud = np.clip(noise_field(random, *size, self.width / 3), 0, 1.5) * 0.22
            image *= (1 - cloud)[..., None]
        # Trees on the bank throw a shadow on the water that moves with the hour.
        edge = self.width * (0.12 + 0.1 * abs(hour - 12) / 6)
        columns = np.arange(self.width)
        shadow = 1 - 0.6 / (1 + np.exp((columns - edge) / 3))
        image *= np.where(water > 0, shadow[None, :], 1.0)[..., None]
        image *= light * 1.15
        if self.glare and height > 0.5 and overcast < 0.3:  # noqa: PLR2004 - a high sun, few clouds
            image = self._glare(random, image, water, plants, hour)
        image += random.normal(0, 2.5, image.shape)
        return np.clip(image, 0, 255).astype(np.uint8)

    def _glare(
        self,
        random: np.random.Generator,
        image: np.ndarray,
        water: Image,
        plants: np.ndarray,
        hour: float,
    ) -> np.ndarray:
        """The sun in the water: a glittering field that wanders; on plants much less."""
        middle = self.width * (0.2 + 0.6 * (hour - 7) / 10)
        across = (np.arange(self.width) - middle) / (self.width * 0.09)
        sparkle = np.clip(random.standard_normal(water.shape) + 0.6, 0, None)
        strength = np.exp(-(across**2))[None, :] * sparkle * (water > 0)
        found: np.ndarray = image + (strength * np.where(plants, 25, 230))[..., None]
        return found
