"""What an installation sets, from the environment (`RAPPORT_…`) or the command line."""

from __future__ import annotations

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

    data: Path = Field(Path("rapport-data"), description="The folder of the embedded store, keys and read models.")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field("UTC", description="The zone of business days.")
    host: str = Field("127.0.0.1", description="The address the pages and the API listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Their port; 0 takes a free one.")
    kafka: str | None = Field(None, description="HOST:PORT of a Kafka broker to relay to.")
    topic_prefix: str = Field("", pattern=r"^[a-z0-9.-]*$", description="Put before the names of topics.")
    demo: bool = Field(default=False, description="Whether the pages say that names are invented.")
