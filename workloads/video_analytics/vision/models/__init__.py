"""Optional models: classes of things, faces, plates. Without their files there is "no model"."""
