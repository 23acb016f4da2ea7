"""Rows into Feast's offline store, through Feast.

It imports Feast, so only the writer's process imports it, and not before the first push comes.
"""

import contextlib
import copy
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from feast import FeatureStore, FileSource
from feast.data_format import ParquetFormat
from feast.errors import FeastError, PushSourceNotFoundException
from feast.infra.offline_stores.offline_utils import get_pyarrow_schema_from_batch_source
from feast.infra.registry.sql import SqlRegistryConfig
from sqlalchemy.exc import InterfaceError, OperationalError

from service.catalog.configuration import load_config
from service.errors import ConfigurationError, StoreUnavailable
from service.offline.entry import Entry
from service.offline.failures import AppendFailed, DestinationRefused, OfflineStoreUnavailable, RowsRefused
from service.offline.files import append_whole
from service.offline.marks import marked, unwritten
from service.offline.tables import to_table
from service.store.lease import LeaseLost

# These won't pass by themselves: the path in the definitions is wrong, or the service may not write there.
_LASTING = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
# pyarrow tells everything of S3 but a missing object as an OSError; of these kinds it is the network's or S3's own trouble
# (arrow/filesystem/s3_internal.h).
_AWS = "AWS Error"
_AWS_PASSING = re.compile(
    r"AWS Error (NETWORK_CONNECTION|INTERNAL_FAILURE|SERVICE_UNAVAILABLE|THROTTLING|SLOW_DOWN|REQUEST_TIMEOUT"
    r"|UNKNOWN \(HTTP status (5\d\d|429)\))"
)


class OfflineStore:
    """The offline store of one Feast repository, as the registry defines it at the time that this is made."""

    def __init__(self, repo: Path, identity: str) -> None:
        """`identity` names the stream in what files say of themselves. Raises OfflineStoreUnavailable."""
        self._identity = identity
        with _explained():
            self._config = load_config(repo)
            if isinstance(self._config.registry, SqlRegistryConfig):
                # A reader has no business creating tables, and a thread that refreshes the cache would outlive this.
                self._config.registry.schema_mode = "verify"
                self._config.registry.cache_mode = "sync"
            self._store = FeatureStore(config=self._config)

    def append(self, push_source: str, views: Sequence[str], entries: Sequence[Entry], confirm: Callable[[], None]) -> None:
        """Append the rows of all entries, in order, to what each view of the push source reads its history from.

        Views of one push source share its batch source, and that gets the rows once. Blocks for as long as it takes to write
        them; of a file, for as long as it takes to write it anew. `confirm` is called right before, and its errors are passed
        on. Raises AppendFailed, of one kind or another; then nothing of what remains was written. To local parquet files
        and to parquet on S3 nothing is appended twice; elsewhere entries are that a killed writer didn't acknowledge.
        """
        with _explained():
            if not views:
                raise PushSourceNotFoundException(push_source)
            registry = self._store.registry
            found = [registry.get_any_feature_view(name, self._config.project, allow_cache=True) for name in views]
            for source, view in {view.batch_source: view for view in found}.items():
                if source is None:
                    raise DestinationRefused(f"Feature view {view.name} has no batch source.")
                rest = [entry for entry in entries if source.name not in entry.written]
                if rest:
                    self._append(view, rest, confirm)
                for entry in rest:
                    entry.written.add(source.name)

    def _append(self, view: Any, entries: Sequence[Entry], confirm: Callable[[], None]) -> None:
        path = self._local_file(view.batch_source)
        if path is None:
            confirm()
            self._hand_over(view, entries)
        else:
            append_whole(path, lambda copied: self._hand_over(_moved(view, copied), entries), confirm)

    def _local_file(self, source: Any) -> Path | None:
        """Where Feast would write a file in place: a kill in the middle of that would destroy it."""
        if not _is_parquet(source):
            return None
        path = FileSource.get_uri_for_file_path(self._config.repo_path, source.path)
        return None if "://" in path or Path(path).is_dir() else Path(path)

    def _hand_over(self, view: Any, entries: Sequence[Entry]) -> bool:
        """Whether there was anything to be appended."""
        source = view.batch_source
        times = [source.timestamp_field, source.created_timestamp_column]
        names = {feature: column for column, feature in (source.field_mapping or {}).items()}
        if _is_parquet(source):
            schema = self._file_schema(source)
            rest = unwritten(schema.metadata, self._identity, entries)
            if not rest:
                return False
            schema, entries = marked(schema, self._identity, entries), rest
            view = _legible(view)
        else:
            schema, _ = get_pyarrow_schema_from_batch_source(self._config, source)
        # Not FeatureStore.write_to_offline_store: in that, a source with a field_mapping refuses its own columns.
        self._store.provider.offline_write_batch(self._config, view, to_table(entries, schema, names, times), None)
        return True

    def _file_schema(self, source: Any) -> Any:
        """With the file's metadata, which Feast writes into the new file when the table has exactly the old one's types."""
        uri = FileSource.get_uri_for_file_path(self._config.repo_path, source.path)
        filesystem, path = FileSource.create_filesystem_and_path(uri, source.s3_endpoint_override)
        return pq.ParquetDataset(path, filesystem=filesystem).schema


def _is_parquet(source: Any) -> bool:
    return isinstance(source, FileSource) and (source.file_format is None or isinstance(source.file_format, ParquetFormat))


def _moved(view: Any, path: Path) -> Any:
    """The same view over a file of another name."""
    view = copy.deepcopy(view)
    view.batch_source.file_options.uri = str(path)
    return view


def _legible(view: Any) -> Any:
    """The same view over a source that names types as Feast reads them.

    pyarrow calls the items of a parquet file's list `element`; feast.type_map knows lists of text, bytes and times only by
    `item`, and would raise KeyError: list<element: string>.
    """
    view = copy.deepcopy(view)
    described = view.batch_source.get_table_column_names_and_types
    view.batch_source.get_table_column_names_and_types = lambda config: [
        (name, kind.replace("<element: ", "<item: ")) for name, kind in described(config)
    ]
    return view


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Feast, its offline stores and its registries raise whatever they like."""
    try:
        yield
    except (LeaseLost, StoreUnavailable, AppendFailed):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}" if not isinstance(error, FeastError) else str(error)
        raise _kind(error)(reason) from error


def _kind(error: Exception) -> type[AppendFailed]:
    if _passes(error):
        return OfflineStoreUnavailable
    return DestinationRefused if isinstance(error, OSError | FeastError) else RowsRefused


def _passes(error: Exception) -> bool:
    if isinstance(error, OSError):
        if _AWS in str(error):
            return _AWS_PASSING.search(str(error)) is not None
        return not isinstance(error, _LASTING)
    return isinstance(error, OperationalError | InterfaceError | ConfigurationError | MemoryError)
