"""Work in threads that nobody leaves behind."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_END: Final = object()
_LONG: Final = ThreadPoolExecutor(32, "long")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like `asyncio.to_thread`, but a cancellation comes through only when the thread has ended.

    A thread cannot be stopped: whoever cancels and then closes the connection that it uses pulls it away under it.
    Its threads are others than those of `asyncio.to_thread`, so that who builds read models keeps nobody from reading.
    """
    context = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(_LONG, partial(context.run, function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # whoever cancels does not want to know, and asyncio complains of what nobody looked at
        raise


@asynccontextmanager
async def entered(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context that is entered and left in threads, because it waits for a lock or a connection."""
    inside: list[T] = []

    def enter() -> None:
        inside.append(context.__enter__())

    try:
        await in_thread(enter)
        yield inside[0]
    except BaseException as error:  # also of whoever was cancelled while the thread went in
        if not inside or not await in_thread(context.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await in_thread(context.__exit__, None, None, None)


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in a thread while the one before it is used.

    Worth it where they are made without the interpreter's lock, as what SQLite reads or numpy sorts.
    """
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = maker.submit(next, items, _END)
            yield item  # type: ignore[misc]  # it is not the end
