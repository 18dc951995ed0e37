"""`python -m sparktest`: the same as the command `sparktest`."""

import sys

from sparktest.cli import main

if __name__ == "__main__":
    sys.exit(main())
