"""What an installation sets, from the environment (`RAPPORT_…`) or the command line."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Amsterdam") from None
    return name


class Settings(BaseSettings):
    """Everything that differs between installations."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", frozen=True, extra="ignore")

    data: Path = Field(
        Path("rapport-data"), description="The folder of the embedded store, keys and read models, and of the socket."
    )
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field("UTC", description="The zone of business days.")
    host: str = Field("127.0.0.1", description="The address the pages and the API listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Their port; 0 takes a free one.")
    kafka: str | None = Field(None, description="HOST:PORT of a Kafka broker to relay to and to read from.")
    store: str | None = Field(
        None,
        pattern=r"^(esdb|kurrentdb)(\+discover)?://",
        description="The event store server, esdb://HOST:2113?Tls=false.",
    )
    database: str | None = Field(
        None, pattern=r"^postgres(ql)?://", description="PostgreSQL of read models, accounts and locks."
    )
    keyring: str | None = Field(
        None, pattern=r"^postgres(ql)?://", description="PostgreSQL of the subjects' keys: a database of its own."
    )
    instance: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="The name of this replica, the same after a restart.",
    )
    topic_prefix: str = Field("", pattern=r"^[a-z0-9.-]*$", description="Put before the names of topics.")
    demo: bool = Field(default=False, description="Whether the pages say that names are invented.")
