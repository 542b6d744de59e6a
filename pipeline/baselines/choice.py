"""Which models ``baselines`` trains."""

from __future__ import annotations

from pipeline.baselines.job import CLASSICAL
from pipeline.errors import SettingError, did_you_mean
from pipeline.model.hand_made import HandMade
from pipeline.model.hand_made.documents import document_names, read_document


def choose(names: str | None, *, dataset: str) -> tuple[list[HandMade], bool]:
    """Return the hand-made models that ``names`` lists, and whether the classical model is among them.

    ``names`` are separated by commas; None means all that were made for ``dataset``, and the classical one.

    Raises:
        SettingError: there is no such model.
    """
    if names is None:
        models = [read_document(name) for name in document_names()]
        return [model for model in models if model.dataset == dataset], True
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    known = (*document_names(), CLASSICAL)
    for name in wanted:
        if name not in known:
            raise SettingError(
                f"names must be hand-made models of the documents, or '{CLASSICAL}', got '{name}'; "
                f"{did_you_mean(name, known)} (a file of your own is trained by train --config)"
            )
    if not wanted:
        raise SettingError(f"names must name a model, got {names!r}; leave it out for all that fit the data set")
    return [read_document(name) for name in wanted if name != CLASSICAL], CLASSICAL in wanted
