"""`python -m lensjax`, the same as `lensjax`."""

import sys

from lensjax.cli import main

sys.exit(main())
