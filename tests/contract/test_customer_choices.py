"""The choices of customers that a form of another service shows while somebody types."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx2
import pytest

from services.contacts.main import SERVICE
from services.contacts.picker import CHOICES
from shared.embedded import opened
from shared.settings import Settings


class Typist:
    """Somebody who looks for a customer."""

    def __init__(self, client) -> None:
        self.client = client

    async def register(self, *names: str) -> UUID:
        for name in names:
            answer = await self.client.post(
                "/contacts/api/v1/customers", json={"name": name}, headers={"Idempotency-Key": str(uuid4())}
            )
        done = answer.json()
        await self.client.get("/contacts/api/v1/customers", params={"after": done["position"]})
        return UUID(done["id"])

    async def type(self, text: str) -> str:
        answer = await self.client.get("/contacts/fragments/customers", params={"q": text})
        assert answer.status_code == 200
        assert "<html" not in answer.text
        return answer.text


@pytest.fixture
async def typist(tmp_path):
    async with opened([SERVICE], Settings(data=tmp_path)) as embedded:
        transport = httpx2.ASGITransport(embedded.for_cli())
        async with httpx2.AsyncClient(transport=transport, base_url="http://rapport") as client:
            yield Typist(client)


async def test_nothing_typed_shows_nothing(typist):
    await typist.register("Ana Kovač")
    assert (await typist.type("  ")).strip() == ""


async def test_those_who_fit_are_choices_of_the_form(typist):
    ana = await typist.register("Bo Šarić", "Ana <Kovač>")
    shown = await typist.type("kovac")
    assert f'name="customer" value="{ana}" checked' in shown
    assert "Ana &lt;Kovač&gt;" in shown
    assert "Bo" not in shown


async def test_of_several_none_is_chosen_beforehand(typist):
    await typist.register("Ana Kovač", "Bo Kovač")
    shown = await typist.type("kovac")
    assert shown.count('name="customer"') == 2
    assert "checked" not in shown


async def test_too_many_ask_for_more_of_the_name(typist):
    await typist.register(*(f"Ana {number}" for number in range(CHOICES + 1)))
    shown = await typist.type("ana")
    assert shown.count('name="customer"') == CHOICES
    assert "More customers fit" in shown


async def test_who_is_not_there_can_be_registered(typist):
    await typist.register("Ana")
    assert 'href="/contacts/new"' in await typist.type("nobody")
