"""Checks inside an image of the guides' tables: what each row says of a stack by itself.

The argument is a JSON list of all rows. A row without a check, and a check without a row, is a failure
as a row that is not true is.
"""

import json
import sys
import traceback

# The server that the client is tried with.
sys.path.append("/stub")

import client_alone  # noqa: F401
import families_alone  # noqa: F401
import optimum_alone  # noqa: F401
import pytorch_alone  # noqa: F401
from rows import ROWS


def main(table, only):
    """What is not as the table says."""
    for fault in table:
        checks = [beginning for beginning in ROWS if fault.startswith(beginning)]
        if len(checks) != 1:
            yield f"{len(checks)} checks: {fault}"
    for beginning, check in ROWS.items():
        if not any(fault.startswith(beginning) for fault in table):
            yield f"no row: {beginning}"
        if only and check.__name__ not in only:
            continue
        print(f"row: {beginning}", file=sys.stderr)
        try:
            check()
        except Exception:
            traceback.print_exc()
            yield f"not so: {beginning}"


# A launcher starts a process that reads this file once more.
if __name__ == "__main__":
    sys.exit("\n".join(main(json.loads(sys.argv[1]), sys.argv[2:])) or None)
