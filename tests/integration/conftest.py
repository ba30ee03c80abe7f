"""What tests under fire share: chance that a seed repeats, and programs that do not outlive their test."""

import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from programs import Program


@pytest.fixture
def rng() -> random.Random:
    """Chance. RAPPORT_SEED=N repeats what a failed test shows as `seed N`."""
    seed = int(os.environ.get("RAPPORT_SEED") or random.randrange(2**32))
    print("seed", seed)
    return random.Random(seed)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Program]]]:
    """Starts a program of this folder, like `Program.start`."""
    started: list[Program] = []

    async def start(module: str, *arguments: object, **environment: str) -> Program:
        started.append(await Program.start(module, *arguments, **environment))
        return started[-1]

    yield start
    for program in started:
        await program.kill()
