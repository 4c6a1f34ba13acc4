"""Talks to a server with Agent Lightning's own client and runner; started by an interpreter that has agentlightning.

Arguments: URLs of servers. Prints, for each a line of JSON, what the client said to each question, by name.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp  # type: ignore[import-not-found]
from agentlightning.runner import LitAgentRunner  # type: ignore[import-not-found]
from agentlightning.store.client_server import LightningStoreClient  # type: ignore[import-not-found]
from agentlightning.tracer import OtelTracer  # type: ignore[import-not-found]

BEAT = 0.2


async def _ask(client: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"health": await client._wait_until_healthy(await client._get_session())}
    said["unknown"] = await client.get_worker_by_id("nobody")
    said["with stats"] = (await client.update_worker("client-1", {"cpu_usage_pct": 1.5, "x": [None]})).model_dump()
    said["without stats"] = (await client.update_worker("client-1")).model_dump()
    said["second"] = (await client.update_worker("client-2")).model_dump()
    said["by id"] = (await client.get_worker_by_id("client-1")).model_dump()
    asked: dict[str, Any] = {"worker_id_contains": "client-", "sort_by": "last_heartbeat_time", "sort_order": "desc"}
    for name, question in {
        "sorted": asked,
        "by status": {"status_in": ["idle", "unknown"], "worker_id_contains": "2"},
        "either": {"status_in": ["busy"], "worker_id_contains": "2", "filter_logic": "or"},
        "none": {"status_in": []},
    }.items():
        found = await client.query_workers(**question)
        said[name] = [[worker.worker_id for worker in found.items], found.limit, found.offset, found.total]
    said["statistics"] = (await client.statistics())["total_workers"]
    try:
        await client.query_workers(sort_by="nothing")
    except aiohttp.ClientResponseError as error:
        said["refused"] = error.status
    return said


async def _beat(client: Any, mode: str, number: int) -> list[Any]:
    runner = LitAgentRunner(OtelTracer(), heartbeat_interval=BEAT, interval_jitter=0.05, heartbeat_launch_mode=mode)
    runner.worker_id = number
    stop = runner._start_heartbeat_loop(client)
    seen: list[float] = []
    try:
        while len(seen) < 3:
            worker = await client.get_worker_by_id(runner.get_worker_id())
            if worker is not None and worker.last_heartbeat_time not in seen:
                seen.append(worker.last_heartbeat_time)
            await asyncio.sleep(0.02)
    finally:
        await stop()
    return [runner.get_worker_id(), len(seen), sorted(worker.heartbeat_stats)]


async def _main(url: str) -> None:
    client = LightningStoreClient(url)
    try:
        said = await _ask(client)
        for number, mode in enumerate(("asyncio", "thread")):
            said[f"runner, {mode}"] = await asyncio.wait_for(_beat(client, mode, number), 60)
    finally:
        await client.close()
    print(json.dumps(said))


if __name__ == "__main__":
    for address in sys.argv[1:]:
        asyncio.run(_main(address))
