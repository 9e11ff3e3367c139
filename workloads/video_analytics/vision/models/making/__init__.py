"""Getting the models at build time; nothing in here is imported when frames are looked at."""
