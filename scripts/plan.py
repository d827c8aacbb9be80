"""Start the action `plan`: check the Python, find the packages, hand over."""

import gc
import os
import sys

# Nothing above this check may need more than Python 3.6: an old one must get as far as the message.
if sys.version_info < (3, 10):
    sys.stderr.write(
        "orient-deploy: Python %d.%d is too old: this program needs 3.10 or newer. "
        "Put a newer python3 first on PATH, with actions/setup-python for instance.\n"
        % sys.version_info[:2]
    )
    sys.exit(3)

# A run lives for a tenth of a second and makes no cycles worth looking for.
gc.disable()

# Behind the standard library, so that no package can stand in for a part of it.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.path.extend(filter(None, os.environ.get("ORIENT_DEPLOY_LIBRARIES", "").split(os.pathsep)))

from orient_deploy.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["plan"] + sys.argv[1:]))
