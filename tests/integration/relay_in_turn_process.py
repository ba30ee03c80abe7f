"""The relays of services in a process of its own that relays only while it holds the lock, as a deployment does."""

import asyncio

from relay_process import main, parser

from shared.deployed import _relay_in_turn
from shared.relay import Relay

if __name__ == "__main__":
    arguments = parser()
    arguments.add_argument("database", help="where the lock is")
    given = arguments.parse_args()

    async def run(relay: Relay) -> None:
        await _relay_in_turn(relay, given.database)

    asyncio.run(main(given, run))
