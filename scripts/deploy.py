"""Start the action `deploy`."""

import os
import sys

# Behind the standard library, so that nothing here can stand in for a part of it.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from orient_deploy.start import start

if __name__ == "__main__":
    start("deploy")
