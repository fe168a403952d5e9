"""What pytest needs for all of host_tests: properties are tried with the same examples every time.

`SEEDS=1000 make test` tries so many examples of each property; a failure prints how to replay it.
"""

import os

import hypothesis

hypothesis.settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    max_examples=int(os.environ.get("SEEDS") or 100),
)
hypothesis.settings.load_profile("fixed")
