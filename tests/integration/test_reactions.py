"""What services do of their own accord: as long as they are served, and never else."""

import asyncio
import os
import signal

from shared.embedded import opened
from shared.service import Service
from shared.serving import serve
from shared.settings import Settings


class Reaction:
    """Says when it runs and when it was stopped."""

    def __init__(self):
        self.runs, self.stopped = asyncio.Event(), asyncio.Event()
        self.seen = None

    async def run(self, here):
        self.seen = here
        self.runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()


async def test_a_reaction_runs_from_serving_until_the_end(tmp_path):
    reaction = Reaction()
    service = Service("reacting", families=(), routers=(), reaction=reaction.run)
    async with opened([service], Settings(data=tmp_path, port=0)) as running:
        assert not reaction.runs.is_set()
        serving = asyncio.create_task(serve(running, lambda _: None))
        async with asyncio.timeout(20):
            await reaction.runs.wait()
            assert reaction.seen is running.platform
            assert not reaction.stopped.is_set()
            os.kill(os.getpid(), signal.SIGTERM)
            await serving
        assert reaction.stopped.is_set()
