"""Merging, unmerging and erasing customers over HTTP, through the app as it is served."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from test_contacts_api import contacts, known, said
from test_contacts_pages import as_staff

from services.contacts.events import SubjectErased
from shared.crashpoints import arm
from shared.errors import SubjectIsErased
from shared.ids import imported
from shared.web import tokens

__all__ = ["contacts"]


class Stopped(BaseException):
    """The process ends here."""


@pytest.fixture
async def people(contacts):
    """Ana, Bo and Cy, each with the version that an edit has to name."""
    people = {name: await contacts.register(name=name, email=f"{name}@kovac.example") for name in ("ana", "bo", "cy")}
    await shown(contacts, people["cy"])
    return people


async def shown(contacts, done):
    return await contacts.get(f"/{done['id']}", after=done["position"])


async def merge(contacts, absorbed, survivor, **options):
    body = {"survivor": survivor["id"], "reason": "The same person, says Ana Horvat"}
    version = options.pop("version", absorbed["version"])
    return await contacts.post(f"/{absorbed['id']}/merge", body, version=version, **options)


async def erase(contacts, customer, **options):
    version = options.pop("version", customer["version"])
    return await contacts.post(f"/{customer['id']}/erase", {"reason": "request"}, version=version, **options)


def keys(contacts, *customers):
    keyring = contacts.embedded.platform.log.keyring
    return [keyring.find(f"customer-{customer['id']}") for customer in customers]


async def erasures(contacts):
    store = contacts.embedded.platform.log.store
    return [event.subject async for page in store.pages(0, types=[SubjectErased.type]) for event in page.events]


async def test_a_merge_is_shown_and_taken_back(contacts, people):
    done = (await merge(contacts, people["ana"], people["bo"])).json()
    assert done["version"] == 2
    card = await shown(contacts, done)
    assert (card.json()["survivor"], card.headers["etag"]) == (people["bo"]["id"], '"2"')
    back = await contacts.post(f"/{done['id']}/unmerge", version=2)
    assert back.status_code == 200, back.text
    assert (await shown(contacts, back.json())).json()["survivor"] is None


async def test_an_edit_of_how_a_customer_stands_names_the_version_that_it_saw(contacts, people):
    ana, bo = people["ana"], people["bo"]
    for path, body in (("merge", {"survivor": bo["id"]}), ("unmerge", None), ("erase", {})):
        assert (await contacts.post(f"/{ana['id']}/{path}", body)).status_code == 428
        assert (await contacts.post(f"/{ana['id']}/{path}", body, version=0)).status_code == 412
        assert (await contacts.post(f"/{uuid4()}/{path}", body, version=0)).status_code == 404


async def test_a_merge_into_nobody_or_into_an_absorbed_one_names_the_survivor_field(contacts, people):
    nobody = await merge(contacts, people["ana"], {"id": str(uuid4())})
    assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (422, "survivor")
    await merge(contacts, people["bo"], people["ana"])
    circle = await merge(contacts, people["ana"], people["bo"])
    assert (circle.status_code, circle.json()["errors"][0]["field"]) == (409, "survivor")
    assert people["ana"]["id"] in circle.json()["detail"]


async def test_a_repeated_merge_gets_the_first_answer_although_the_survivor_is_gone_by_now(contacts, people):
    first = await merge(contacts, people["ana"], people["bo"], key="once")
    back = await contacts.post(f"/{people['ana']['id']}/unmerge", version=2)
    assert (await erase(contacts, people["bo"])).status_code == 200
    assert (await merge(contacts, people["ana"], people["bo"], key="once")).json() == first.json()
    refused = await merge(contacts, people["ana"], people["bo"], version=back.json()["version"])
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (409, "was erased")


async def test_two_merges_at_once_leave_everybody_with_one_survivor(contacts, people):
    ana, bo = people["ana"], people["bo"]
    answers = await asyncio.gather(merge(contacts, ana, bo), merge(contacts, bo, ana))
    done = [answer.json() for answer in answers if answer.is_success]
    assert done
    last = max(done, key=lambda each: tokens.decode(each["position"]).position)
    cards = [(await contacts.get(f"/{one['id']}", after=last["position"])).json() for one in (ana, bo)]
    assert len({card["survivor"] or card["id"] for card in cards}) == 1


async def test_an_erased_customer_is_gone_and_its_key_with_it(contacts, people):
    ana = people["ana"]
    answer = await erase(contacts, ana)
    assert answer.status_code == 200, answer.text
    [done] = answer.json()
    assert keys(contacts, ana, people["bo"])[0] is None
    assert keys(contacts, people["bo"])[0] is not None
    assert (await shown(contacts, done)).status_code == 410
    listed = (await contacts.get()).json()
    assert ([entry["name"] for entry in listed["customers"]], listed["count"]) == (["bo", "cy"], 2)
    assert (await contacts.get(q="ana@kovac")).json()["count"] == 0


async def test_a_repeated_erasure_gets_the_first_answer_and_another_one_is_refused(contacts, people):
    await merge(contacts, people["ana"], people["bo"])
    first = await erase(contacts, people["bo"], key="once")
    assert [done["id"] for done in first.json()] == [people["bo"]["id"], people["ana"]["id"]]
    assert (await erase(contacts, people["bo"], key="once")).json() == first.json()
    again = await erase(contacts, people["bo"], version=2)
    assert (again.status_code, "was erased" in again.json()["detail"]) == (409, True)
    assert len(await erasures(contacts)) == 2


async def test_nothing_more_is_recorded_of_an_erased_customer(contacts, people):
    ana = people["ana"]
    await erase(contacts, ana)
    assert (await contacts.post(f"/{ana['id']}/rename", {"name": "Ana"}, version=2)).status_code == 409
    log = contacts.embedded.platform.log
    with pytest.raises(SubjectIsErased):
        log.keyring.key(f"customer-{ana['id']}")


async def test_a_survivor_goes_with_everybody_it_absorbed_also_through_others(contacts, people):
    await merge(contacts, people["ana"], people["bo"])
    await merge(contacts, people["bo"], people["cy"])
    refused = await erase(contacts, people["ana"], version=2)
    assert (refused.status_code, people["bo"]["id"] in refused.json()["detail"]) == (409, True)
    done = (await erase(contacts, people["cy"])).json()
    assert {each["id"] for each in done} == {person["id"] for person in people.values()}
    assert keys(contacts, *people.values()) == [None] * 3
    assert len(set(await erasures(contacts))) == 3


@pytest.mark.parametrize("place", ["erasure.recorded", "erasure.absorbed"])
async def test_an_erasure_that_was_interrupted_is_completed_by_repeating_it(contacts, people, place):
    await merge(contacts, people["ana"], people["bo"])

    def stop(name):
        if name == place:
            raise Stopped

    arm(stop)
    try:
        with pytest.raises(Stopped):
            await erase(contacts, people["bo"], key="once")
    finally:
        arm(None)
    assert keys(contacts, people["bo"])[0] is not None
    assert len((await erase(contacts, people["bo"], key="once")).json()) == 2
    assert keys(contacts, people["ana"], people["bo"]) == [None, None]
    assert len(await erasures(contacts)) == 2


async def test_an_erased_customer_is_not_imported_again(contacts):
    file = [known("7"), known("7", name="Ana"), known("8")]
    taken = await contacts.take(*file)
    ana = {"id": str(imported("customer", "cdnow", "7")), "version": 1}
    await contacts.get(f"/{ana['id']}", after=taken["position"])
    await erase(contacts, ana)
    again = await contacts.take(*file, known("7", name="Ana Horvat"))
    assert said(again) == [("rejected", 0), ("rejected", 0), ("unchanged", 0), ("rejected", 0)]
    assert "erased" in again["results"][0]["reason"]
    assert said(await contacts.take(known("7"))) == [("rejected", 0)]


@pytest.mark.parametrize(
    ("role", "merges", "erases"), [("specialist", 200, 403), ("manager", 200, 403), ("privacy_officer", 403, 200)]
)
async def test_who_serves_customers_merges_and_only_a_privacy_officer_erases(contacts, people, role, merges, erases):
    contacts.client._transport.app = as_staff(contacts.embedded.app, role)
    assert (await merge(contacts, people["ana"], people["bo"])).status_code == merges
    assert (await erase(contacts, people["cy"])).status_code == erases


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("merge", {}, "survivor"),
        ("merge", {"survivor": "cdnow:7"}, "survivor"),
        ("merge", {"survivor": str(uuid4()), "standing": {"erased": False}}, "standing"),
        ("erase", {"reason": "Ana asked on the phone"}, "reason"),
        ("erase", {"absorbed": []}, "absorbed"),
    ],
)
async def test_what_is_wrong_is_named(contacts, people, path, body, field):
    answer = await contacts.post(f"/{people['ana']['id']}/{path}", body, version=1)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
