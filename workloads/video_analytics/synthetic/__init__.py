"""Scenes with known truth: streets, squares, rivers and building sites that never were."""
