"""Offline pushes: kept in a Redis Stream by the workers, appended to Feast's offline store by one background writer.

Workers import `queue`; everything else runs in the writer's process (`service.offline.process`), of which a supervisor keeps
one, and of all supervisors' only the one that holds the lease writes.
"""

from service.offline.queue import OfflineQueue

__all__ = ["OfflineQueue"]
