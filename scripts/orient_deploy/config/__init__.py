"""The configuration room: `.github/orient-deploy.yml` into frozen values, errors with their place.

Never reads anything else, and never decides what is built.
"""

from orient_deploy.config.load import DEFAULT_PATH, parse, parse_inline
from orient_deploy.config.problem import ConfigError, Problem

__all__ = ["DEFAULT_PATH", "ConfigError", "Problem", "parse", "parse_inline"]
