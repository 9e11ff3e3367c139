"""Rivers to try the measurement of cover and growth on."""

from workloads.video_analytics.synthetic.river import River

#: name → river.
RIVERS: dict[str, River] = {
    **{f"growing-{n}": River(seed=n) for n in (1, 2, 3)},
    "growing-clear-4": River(seed=4, clouds=False, glare=False),
    "growing-fog-5": River(seed=5, fog_days=(4, 5, 9)),
    "steady-6": River(seed=6, growth=0.0, cover=0.12),
    "bloom-7": River(seed=7, cover=0.16, growth=0.08),
    "shrinking-8": River(seed=8, cover=0.4, growth=-0.12),
}
