"""The pictures of the README: `python tests/browser/pictures.py URL NAME PASSWORD`, taken of a filled demonstration."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from shop_at_work import RETAIL, settled, sign_in

sys.path.append(str(Path(__file__).parent.parent))
from servers import chromium

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
DAY = f"as_of={RETAIL.last_day}"
PICTURES = {
    "customers.png": f"/contacts/?kind=organisation&{DAY}",
    "card.png": f"/contacts/{RETAIL.source}:17068?{DAY}",
    "insights.png": f"/analytics/?source={RETAIL.source}&{DAY}",
}


def main(url: str, name: str, password: str) -> None:
    """Sign in, open each page, and keep what it shows once all its parts have come."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 1000}, locale="en-GB", reduced_motion="reduce")
        sign_in(page, url, name, password)
        page.wait_for_url(f"{url}/contacts/")
        for file, path in PICTURES.items():
            page.goto(url + path)
            settled(page)
            page.evaluate("document.fonts.ready")
            page.screenshot(path=IMAGES / file)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), *sys.argv[2:])
