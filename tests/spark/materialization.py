"""`python -m tests.spark.materialization REPO START END`: a materialization by the engine that the repository names."""

import json
import sys
from datetime import datetime
from pathlib import Path

from pipelines.materialize import materialize

if __name__ == "__main__":
    start, end = map(datetime.fromisoformat, sys.argv[2:])
    print("\n" + json.dumps(materialize(Path(sys.argv[1]), start, end).as_json()))
