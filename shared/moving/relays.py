"""The relays' checkpoints, translated: the deployment's relays go on where those of the folder ended."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka.errors import KafkaError

from shared.checkpoint import Checkpoint, last_checkpoint
from shared.errors import CannotMove, Unreachable
from shared.moving.log import Pair
from shared.projections.progress import Source
from shared.relay import Relay
from shared.topic_ends import topic_ends
from shared.topics import create_topics, services_of, topic

_ANSWER: Final = 20.0
_OPEN: Final = 90.0
"""Seconds. A transaction that a killed relay left open is given up by Kafka after a minute."""


class Succession(Relay):
    """A relay that relays nothing, but speaks of the checkpoint: as the last one of its store, or the first."""

    async def last(self) -> Checkpoint | None:
        """The topic's checkpoint, with this store's own transactions ended that a killed relay left open."""
        async with asyncio.timeout(_ANSWER):
            await create_topics(self._bootstrap, [self.service], prefix=self._prefix)
        async with self._producer(), asyncio.timeout(_OPEN):
            return await last_checkpoint(self._bootstrap, self._checkpoints)

    async def begin_behind(self, position: int) -> None:
        """Write down that the topic holds everything up to a position of this store."""
        async with self._producer() as producer:
            await self._publish(producer, [], position)


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of services in a Kafka."""

    bootstrap: str
    services: Sequence[str]
    prefix: str

    async def reached(self, logs: Pair) -> dict[str, int]:
        """The source's position up to which each service's events are published, where they were by its relay.

        Raises:
            CannotMove: a topic was filled from a third store, or from a later state of this one.
            Unreachable: Kafka does not answer.
        """
        found: dict[str, int] = {}
        head = await logs.source.position()
        for service in self.services:
            with _answering(self.bootstrap):
                last = await Succession(logs.source, self.bootstrap, service, prefix=self.prefix).last()
            if last is None or last.store == str(logs.target.id):
                continue
            name = topic(service, self.prefix)
            if last.store != str(logs.source.id):
                raise CannotMove(f"{name} was filled from the store {last.store}, neither the folder's nor the target")
            if last.position > head:
                raise CannotMove(f"{name} holds events up to {last.position}, the folder ends at {head}: is it a copy?")
            found[service] = last.position
        return found

    async def hand_over(self, logs: Pair, positions: Mapping[str, int]) -> None:
        """Have the target's relays begin behind these positions of the target, by service.

        Raises:
            Unreachable: Kafka does not answer.
        """
        for service, position in positions.items():
            with _answering(self.bootstrap):
                await Succession(logs.target, self.bootstrap, service, prefix=self.prefix).begin_behind(position)

    async def ends(self, types: Collection[str]) -> Mapping[Source, int]:
        """The offsets at which the topics end now that carry these event types.

        Raises:
            Unreachable: Kafka does not answer.
        """
        with _answering(self.bootstrap):
            return await topic_ends(self.bootstrap, services_of(types), self.prefix)


@contextmanager
def _answering(bootstrap: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:  # a timeout is an OSError
        raise Unreachable(f"Kafka at {bootstrap} does not answer: {error!r}") from error
