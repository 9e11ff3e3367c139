"""Runs playbooks by Ansible, a program of its own (GPL-3.0): nothing of it is imported here."""
