import asyncio
import threading

from shared.threads import in_thread


async def test_long_work_keeps_nobody_from_reading():
    go = threading.Event()
    working = [asyncio.create_task(in_thread(go.wait, 10)) for _ in range(24)]
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "read") == "read"
    go.set()
    assert all(await asyncio.gather(*working))


async def test_a_cancellation_comes_through_when_the_thread_has_ended():
    begun, go, done = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        go.wait(10)
        done.append(True)

    working = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 10)
    working.cancel()
    await asyncio.sleep(0)
    assert not working.done()
    go.set()
    await asyncio.gather(working, return_exceptions=True)
    assert working.cancelled()
    assert done
