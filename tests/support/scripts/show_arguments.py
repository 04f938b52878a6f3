# ruff: noqa: PTH118, PTH123
"""Writes its arguments into its checkpoint folder, without any library, and reports."""

import json
import os
import sys

with open(os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "argv"), "w") as file:
    json.dump(sys.argv[1:], file)
with open(os.environ["HPO_REPORT_FILE"], "a") as file:
    file.write('{"loss": 1.0}\n')
