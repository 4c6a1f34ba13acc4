"""The pages in a real browser: nothing goes wrong in them, nobody is kept out, filters and order work by hand."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.browser.chromium import Chromium
from tests.real.rollcall import Rollcall

SCHEMES = ("light", "dark")
WIDTHS = (400, 1280)
"""In pixels, of a telephone and of a desk."""

CAPTIONED = "[...document.querySelectorAll('table')].every((table) => table.caption && table.caption.innerText)"


def addresses(rollcall: Rollcall) -> list[str]:
    """The page of a fleet, of all that it shows first, and of one node and one worker."""
    said = rollcall.get("/api/v1/status").json()
    pages = [
        f"/{kind}/{quote(row[name], safe='')}?fleet={quote(row['fleet'], safe='')}"
        for kind, name in (("nodes", "node"), ("workers", "worker"))
        for row in said[kind][:1]
    ]
    return ["/", *pages]


def test_nothing_goes_wrong_on_any_page_of_a_fleet_and_nobody_is_kept_out(chromium: Chromium, fleet: Rollcall) -> None:
    pages = addresses(fleet)
    assert len(pages) == 3
    for path in pages:
        assert chromium.open(fleet.url + path) == 200
        assert chromium.evaluate(CAPTIONED)
        for scheme in SCHEMES:
            chromium.tell("dress", scheme=scheme)
            assert (path, scheme, chromium.barriers()) == (path, scheme, [])
        for width in WIDTHS:
            chromium.tell("widen", width=width)
            assert chromium.evaluate("document.documentElement.scrollWidth") <= width, path
        assert chromium.problems == []


def test_nothing_goes_wrong_where_nothing_is_read(chromium: Chromium, bare: Rollcall) -> None:
    assert chromium.open(bare.url) == 200
    for scheme in SCHEMES:
        chromium.tell("dress", scheme=scheme)
        assert (scheme, chromium.barriers()) == (scheme, [])
    assert chromium.problems == []


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nodes/nobody", 404, "expected the id or host name of a node, got 'nobody', which none has"),
        ("/?sort_nodes=beauty", 400, "sort_nodes: expected one of "),
        ("/?fleet=nowhere", 200, "nowhere"),
    ],
)
def test_what_is_not_there_says_so_on_a_page_like_the_others(
    chromium: Chromium, fleet: Rollcall, path: str, status: int, text: str
) -> None:
    assert chromium.open(fleet.url + path) == status
    assert text in chromium.texts("main")[0]
    assert chromium.barriers() == []
    # Chromium itself logs that a page has such a status.
    assert [each for each in chromium.problems if f"status of {status}" not in each] == []


def test_the_table_is_sorted_by_its_headings_and_says_so(chromium: Chromium, fleet: Rollcall) -> None:
    chromium.open(fleet.url)
    heading = "#workers thead th:first-child"
    chromium.tell("click", selector=f"{heading} a")
    assert chromium.evaluate(f"document.querySelector('{heading}').ariaSort") == "ascending"
    rising = chromium.texts("#workers tbody th")
    chromium.tell("click", selector=f"{heading} a")
    assert chromium.evaluate(f"document.querySelector('{heading}').ariaSort") == "descending"
    assert chromium.texts("#workers tbody th") == rising[::-1]
    chromium.tell("click", selector=f"{heading} a")
    assert chromium.evaluate(f"document.querySelector('{heading}').ariaSort") is None
    assert chromium.problems == []


@pytest.mark.parametrize("script", [True, False])
def test_filters_work_with_and_without_a_script(chromium: Chromium, fleet: Rollcall, script: bool) -> None:
    chromium.open(fleet.url, script=script)
    host = chromium.texts("#workers tbody th")[0]
    chromium.tell("fill", selector="input[name=q]", text=host)
    chromium.tell("click", selector="form button")
    assert chromium.texts("#workers tbody th") == [host]
    chromium.go(fleet.url)
    if script:
        chromium.tell("choose", selector="select[name=state]", option="client")
    else:
        chromium.go(fleet.url + "/?state=client")
    assert set(chromium.texts("#nodes tbody .badge")) >= {"client"}
    assert len(chromium.texts("#nodes tbody tr")) == 1
    assert chromium.problems == []


def test_a_keyboard_gets_past_what_is_the_same_on_every_page(chromium: Chromium, fleet: Rollcall) -> None:
    chromium.open(fleet.url)
    chromium.tell("press", keys=["Tab"])
    assert chromium.evaluate("document.activeElement.className") == "skip"
    assert chromium.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    chromium.tell("press", keys=["Enter"])
    assert chromium.evaluate("document.activeElement.id") == "main"
    chromium.tell("press", keys=["Tab"])
    assert chromium.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
