"""Corrections: somebody objects to an answer; the agency corrects its record or says why not."""
