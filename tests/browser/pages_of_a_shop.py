"""A small app with one page of every sort, for looking at the frame without a service."""

from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from shared.web import guard, plots, preferences
from shared.web.app import harden, service_app
from shared.web.assets import MOUNT, Assets
from shared.web.guard import Principal, may
from shared.web.shell import Fresh, Shell

LONGEST = "Boekhandel van der Wouden-Oosterhuis & Zonen Groothandel in Papier- en Schrijfwaren B.V."
CUSTOMERS = [("Kovač Papir d.o.o.", "organisation"), (LONGEST, "organisation"), ("Marija Đurđević", "individual")]
BINS = [(0, 1890), (7, 1820), (14, 1480), (21, 1130), (28, 950), (35, 830), (42, 640)]

routes = guard.router()
shell = Shell("contacts", [Path(__file__).parent / "templates"], demo_notice=True)


class Staff:
    """Everybody who comes with a session is Jasmijn."""

    def session(self, _secret: str) -> Principal:
        return Principal("Jasmijn de Wit", "staff", "specialist")

    def token(self, _secret: str) -> None:
        return None


@routes.get("/contacts/")
@may("anyone")
async def customers(request: Request, q: str = "") -> HTMLResponse:
    return shell.page(request, "customers.html", customers=CUSTOMERS, q=q, fresh=Fresh(48213, 0.3))


@routes.get("/nobody")
@may("anyone")
async def nobody(request: Request) -> HTMLResponse:
    return shell.page(request, "nobody.html", fresh=Fresh(48213, 0.3, behind=True))


@routes.get("/analytics/")
@may("anyone")
async def insights(request: Request) -> HTMLResponse:
    show = shell.formats(request)
    intervals = plots.histogram(
        BINS, width=7, unit="days between orders", count="intervals", mark=(28, "median 28"), show=show.number
    )
    segments = plots.bars(["Champion", "Loyal"], [842, 410], name="segment", unit="customers", show=show.number)
    rhythm = plots.strip(
        [(14600, 12000), (14700, 90000), (14940, 45000)],
        until=14952,
        day="day",
        unit="GBP",
        due=(14960, "due 17 Dec"),
        window=(14955, 14967),
        formatter="@money:GBP",
        show=lambda minor: show.money(int(minor), "GBP"),
        show_day=show.date,
    )
    return shell.page(request, "insights.html", intervals=intervals, segments=segments, rhythm=rhythm)


@routes.get("/late")
@may("anyone")
async def late(request: Request) -> HTMLResponse:
    plot = plots.bars(["=cmd|cake cases", "Lunch bag"], [14, 13], name="product", unit="orders")
    return shell.fragment(request, "late.html", plot=plot)


@routes.get("/broken")
@may("anyone")
async def broken() -> Response:
    return Response(status_code=500)


@routes.get("/new")
@may("anyone")
async def form(request: Request, wrong: bool = False) -> HTMLResponse:
    errors = {"email": "An address looks like name@example.org."} if wrong else {}
    return shell.page(request, "new.html", errors=errors)


@routes.get("/login")
@may("anyone")
async def login(request: Request) -> HTMLResponse:
    return shell.page(request, "login.html", name="", next="/", error=None)


@routes.get("/portal/")
@may("anyone")
async def portal(request: Request) -> HTMLResponse:
    return shell.page(request, "account.html", fresh=Fresh(48213, 0.3))


def shop() -> ASGIApp:
    """The app behind all middlewares, as services are served."""
    app = service_app("Shop", [routes, preferences.router], page=shell.problem)
    app.mount(MOUNT, may("anyone")(Assets()))
    return harden(app, Staff())
