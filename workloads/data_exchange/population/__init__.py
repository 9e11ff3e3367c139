"""A city that does not exist: people and businesses for tests, demonstrations and exercises."""
