"""Where the sun stands, and so when it is night."""

import math
from datetime import UTC, datetime

#: Civil twilight: the sun's middle is this far below the horizon, degrees.
CIVIL = -6.0

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_elevation(at: datetime, latitude: float, longitude: float) -> float:
    """Degrees above the horizon, without refraction; good to a few hundredths of a degree.

    The equations of NOAA's solar calculator ("Solar Calculation Details", Global Monitoring
    Laboratory), which are those of Meeus, "Astronomical Algorithms", chapters 25 and 28.

    Args:
        at: with a time zone.
        latitude: degrees, north positive.
        longitude: degrees, east positive.
    """
    century = (at - _J2000).total_seconds() / 86_400 / 36_525
    mean_longitude = (280.46646 + century * (36000.76983 + century * 0.0003032)) % 360
    anomaly = math.radians(357.52911 + century * (35999.05029 - 0.0001537 * century))
    eccentricity = 0.016708634 - century * (0.000042037 + 0.0000001267 * century)
    centre = (
        math.sin(anomaly) * (1.914602 - century * (0.004817 + 0.000014 * century))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * century)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * century)
    apparent = math.radians(mean_longitude + centre - 0.00569 - 0.00478 * math.sin(node))
    seconds = 21.448 - century * (46.815 + century * (0.00059 - century * 0.001813))
    obliquity = math.radians(23 + (26 + seconds / 60) / 60 + 0.00256 * math.cos(node))
    declination = math.asin(math.sin(obliquity) * math.sin(apparent))

    half = math.tan(obliquity / 2) ** 2
    twice = 2 * math.radians(mean_longitude)
    equation_of_time = 4 * math.degrees(
        half * math.sin(twice)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * half * math.sin(anomaly) * math.cos(twice)
        - 0.5 * half * half * math.sin(2 * twice)
        - 1.25 * eccentricity * eccentricity * math.sin(2 * anomaly)
    )
    utc = at.astimezone(UTC)
    minutes = utc.hour * 60 + utc.minute + (utc.second + utc.microsecond / 1e6) / 60
    solar = (minutes + equation_of_time + 4 * longitude) % 1440
    hour_angle = math.radians(solar / 4 - 180)
    here = math.radians(latitude)
    sine = math.sin(here) * math.sin(declination) + math.cos(here) * math.cos(
        declination
    ) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def is_night(at: datetime, latitude: float, longitude: float) -> bool:
    """Whether it is after civil dusk and before civil dawn; never in polar summer."""
    return sun_elevation(at, latitude, longitude) < CIVIL
