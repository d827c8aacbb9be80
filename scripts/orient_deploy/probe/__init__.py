"""Requests to what was deployed, from where this runs, and what came of each.

Asks once, within a limit; never decides what an answer means for a deploy.
"""
