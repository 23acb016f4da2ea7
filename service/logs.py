"""How every process of the service logs: one line a record on stderr."""

import logging
import sys

from service.settings import Settings


def configure_logging(process: str) -> None:
    """`process` names the writer in each line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {process}[%(process)d] %(message)s"))
    logging.basicConfig(level=Settings().log_level.upper(), handlers=[handler], force=True)
    # Feast tells at each reading that its cache has expired.
    logging.getLogger("feast").setLevel(logging.WARNING)
