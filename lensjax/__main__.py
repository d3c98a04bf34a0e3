"""`python -m lensjax`, the same as `lensjax`."""

import sys

from lensjax.cli.main import main

if __name__ == "__main__":  # importing it, as tools that walk a package do, runs nothing
    sys.exit(main())
