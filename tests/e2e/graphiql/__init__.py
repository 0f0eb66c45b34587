"""GraphiQL in a real browser."""

import pytest

# Its assertions shall show what they compared, as a test's own do.
pytest.register_assert_rewrite("tests.e2e.graphiql.browser")
