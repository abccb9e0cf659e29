"""The product's settings over the test run's own folder and Redis."""

import tests.environment  # noqa: F401  first: the settings read what it sets
from aigc.settings import *  # noqa: F403
