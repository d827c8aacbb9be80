"""Begin one entrypoint: check the Python, find the packages, hand over.

Nothing here, nor in the package's `__init__`, may need more than Python 3.6: an old one must get as
far as the message. Decides nothing else.
"""

import gc
import os
import sys


def start(*words: str) -> None:
    """End the process with what `words` and the rest of the command line lead to."""
    if sys.version_info < (3, 10):
        sys.stderr.write(
            "orient-deploy: Python %d.%d is too old: this program needs 3.10 or newer. "
            "Put a newer python3 first on PATH, with actions/setup-python for instance.\n"
            % sys.version_info[:2]
        )
        sys.exit(3)

    # A run lives for a tenth of a second and makes no cycles worth looking for.
    gc.disable()

    libraries = os.environ.get("ORIENT_DEPLOY_LIBRARIES", "").split(os.pathsep)
    sys.path.extend(filter(None, libraries))
    from orient_deploy.commands.main import main

    _leave(main([*words, *sys.argv[1:]]))


def _leave(code: int) -> None:
    """End without taking down what Python has set up, which takes as long as a fifth of a short
    run. Nothing waits for that: files are closed, and children have ended."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by whoever started us
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)
