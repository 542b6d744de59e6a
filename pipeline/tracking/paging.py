"""Everything that MLflow finds, where it answers page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from mlflow.store.entities.paged_list import PagedList

T = TypeVar("T")


def all_pages(search: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    """Yield what is on all pages; ``search`` gets the token of a page, None for the first."""
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        if not (token := page.token):
            return
