"""What the tests of the main suite share, for these too."""

from tests.conftest import clean_environment as clean_environment
