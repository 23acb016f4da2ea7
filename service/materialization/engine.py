"""Feast's local compute engine with another last step: rows go into Redis by the push path's writer instead of Feast's.

It can stand in a feature_store.yaml (`batch_engine: {type: service.materialization.engine.RedisEngine}`), so that `feast
materialize` itself writes by it; `service.materialization.run` puts it in place of the engine `local` by itself.
"""

from collections.abc import Callable
from typing import Any, Literal

from feast import FeatureView
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.dag.context import ExecutionContext
from feast.infra.compute_engines.local.arrow_table_value import ArrowTableValue
from feast.infra.compute_engines.local.compute import LocalComputeEngine, LocalComputeEngineConfig
from feast.infra.compute_engines.local.feature_builder import LocalFeatureBuilder
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.compute_engines.local.nodes import LocalOutputNode, LocalSourceReadNode
from feast.infra.online_stores.redis import RedisOnlineStoreConfig, RedisType
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import RepoConfig

from service.errors import ConfigurationError
from service.materialization.job import MaterializationFailed
from service.materialization.rows import RowEncoder
from service.materialization.writing import FULL_SPEED, OnlineWriter, Pace
from service.store import parse_address

# The view, how many of its rows are written, and how many there are.
Told = Callable[[str, int, int], None]


class RedisEngineConfig(LocalComputeEngineConfig):
    """What `batch_engine` takes: what Feast's `local` takes."""

    type: Literal["service.materialization.engine.RedisEngine"] = "service.materialization.engine.RedisEngine"


class RedisEngine(LocalComputeEngine):
    """Materializes views as `local` does, and writes them faster, the newest row of each key winning whoever else writes."""

    # Told of each batch of rows that Redis has confirmed.
    told: Told = staticmethod(lambda view, rows, of: None)
    pace: Pace = FULL_SPEED

    def _materialize_one(self, registry: BaseRegistry, task: MaterializationTask, **kwargs: Any) -> LocalMaterializationJob:
        context = self.get_execution_context(registry, task)
        job_id = f"{task.feature_view.name}-{task.start_time}-{task.end_time}"
        try:
            _Builder(registry, task, self._get_backend(context), self).build().execute(context)
        except Exception as error:  # the provider raises it again
            return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=job_id, status=MaterializationJobStatus.SUCCEEDED)


def writes(config: RepoConfig, view: Any) -> bool:
    """Whether the view's rows can go by the writer here: to one Redis server, of a plain view."""
    store = config.online_store
    if not isinstance(store, RedisOnlineStoreConfig) or store.redis_type != RedisType.redis:
        return False
    if not isinstance(view, FeatureView) or view.batch_source is None or not RowEncoder.can_encode(view):
        return False
    try:
        parse_address(store.connection_string)
    except ConfigurationError:  # options of redis-py that aren't known here
        return False
    return True


class _Builder(LocalFeatureBuilder):
    def __init__(self, registry: BaseRegistry, task: MaterializationTask, backend: Any, engine: RedisEngine) -> None:
        super().__init__(registry, task, backend)
        self._engine = engine

    def build_source_node(self, view: Any) -> "_SourceNode":
        node = _SourceNode("source", view.source, self.get_column_info(view), self.task.start_time, self.task.end_time)
        node.view = view.name
        self.nodes.append(node)
        return node

    def build_output_nodes(self, view: Any, input_node: Any) -> LocalOutputNode:
        node = _OutputNode("output", self.dag_root.view, inputs=[input_node])
        node.engine = self._engine
        self.nodes.append(node)
        return node


class _SourceNode(LocalSourceReadNode):
    """Reads the source as Feast's does; what goes wrong is said to be the source's fault."""

    view = ""

    def execute(self, context: ExecutionContext) -> ArrowTableValue:
        try:
            return super().execute(context)
        except Exception as error:  # whatever the drivers of offline stores raise
            raise MaterializationFailed(
                "offline_store",
                f"{self.view}: its source {self.source.name or type(self.source).__name__} can't be read: "
                f"{type(error).__name__}: {error}",
            ) from error


class _OutputNode(LocalOutputNode):
    engine: RedisEngine

    def execute(self, context: ExecutionContext) -> ArrowTableValue:
        view, config = self.feature_view, context.repo_config
        if not view.online or not writes(config, view):
            return super().execute(context)
        table = self.get_single_table(context).data
        output = ArrowTableValue(data=table)
        context.node_outputs[self.name] = output
        encoder = RowEncoder(view, config)
        told, pace, total = self.engine.told, self.engine.pace, table.num_rows
        told(view.name, 0, total)
        if total:
            OnlineWriter(parse_address(config.online_store.connection_string), pace).write(
                view.name,
                encoder.write,
                encoder.encode(table, pace.rows_at_once),
                lambda rows: told(view.name, rows, total),
            )
        if view.offline:
            context.offline_store.offline_write_batch(config=config, feature_view=view, table=table, progress=lambda rows: None)
        return output
