"""GitHub's side: inputs, event payload, outputs, summary, annotations, masks, groups.

The only room that writes the runner's files and prints its commands. Decides nothing.
Facts about the runner were read in actions/runner v2.336.0; each names its source file and line.
"""

from __future__ import annotations

from orient_deploy.runner.event import Event, PullRequest, read_event
from orient_deploy.runner.inputs import read_flag, read_inputs
from orient_deploy.runner.log import Log
from orient_deploy.runner.outputs import Outputs
from orient_deploy.runner.summary import write_summary

__all__ = [
    "Event",
    "Log",
    "Outputs",
    "PullRequest",
    "read_event",
    "read_flag",
    "read_inputs",
    "write_summary",
]
