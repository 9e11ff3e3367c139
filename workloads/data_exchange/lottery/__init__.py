"""Lotteries that anybody can recompute: committed rules, a frozen list, a seed of many parties."""
