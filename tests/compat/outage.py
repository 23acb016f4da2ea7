"""Stock's server when its Redis isn't there."""

import httpx

from pipelines.local.redis import free_port

from .kiosk import FRESH, PATHS, Kiosk, stock_client, stock_store


def answers_without_redis(kiosk: Kiosk) -> dict[str, httpx.Response]:
    """What it says to a probe and to a read, by the last part of the path; it tries again and again for seconds."""
    nowhere = {"type": "redis", "connection_string": f"127.0.0.1:{free_port()},db=0"}
    body = {"features": ["visits:count"], "entities": {"customer_id": [FRESH]}}
    with stock_client(stock_store(kiosk.world, nowhere)) as stock:
        return {"health": stock.get("/health"), "read": stock.post(PATHS["read"], json=body)}
