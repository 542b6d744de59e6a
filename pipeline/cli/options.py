"""The options that several commands have, and how open values are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]

_UNSET = ("", "auto", "none")


class Optional(click.ParamType[Any]):
    """A value of another type, or ``auto`` or ``none`` for None (MLproject files cannot leave a parameter out)."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self.name = inner.name
        self._inner = inner

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None for an open value, else what the other type makes of it."""
        return None if value in _UNSET else self._inner.convert(value, param, ctx)


TEXT, WHOLE, NUMBER = Optional(click.STRING), Optional(click.INT), Optional(click.FLOAT)


def options(*groups: Option | tuple[Option, ...]) -> Callable[[Command], Command]:
    """Return a decorator that gives a command options, in the order of the help text."""
    listed = [option for group in groups for option in (group if isinstance(group, tuple) else (group,))]

    def decorate(command: Command) -> Command:
        for option in reversed(listed):
            command = option(command)
        return command

    return decorate


_DATA_SETS = "digits, mnist, fashion_mnist, cifar10, cifar100, or the path of an .npz or of a folder of photographs."

dataset = click.option("--dataset", default="digits", show_default=True, help=_DATA_SETS)
dataset_or_own = click.option(
    "--dataset", type=TEXT, default="auto", show_default="that of the configuration", help=_DATA_SETS
)
registered_name = click.option("--name", required=True, help="Name of the registered model.")
data = (
    click.option("--data-dir", type=TEXT, default="auto", show_default="PIPELINE_DATA_DIR, or Keras's cache",
                 help="Folder that may hold NAME.npz."),
    click.option("--image-size", type=WHOLE, default="auto", show_default="as the configuration says",
                 help="Side in pixels that images are resized to; photographs become squares, of 96 where it is 0."),
    click.option("--validation-share", type=NUMBER, default="auto", show_default="a tenth to a fifth",
                 help="Share of the training images that validates, where the data set does not say which do."),
)  # fmt: skip
epochs = click.option("--epochs", type=WHOLE, default="auto", show_default="as the configuration says",
                      help="The most epochs that one training may have.")  # fmt: skip
metric = click.option("--metric", default="val_accuracy", show_default=True,
                      help="What is better: val_accuracy or val_loss.")  # fmt: skip
seed = click.option("--seed", type=int, default=0, show_default=True, help="Seed of split, sampler and training.")
seed_or_own = click.option("--seed", type=WHOLE, default="auto", show_default="0, or that of the run to repeat",
                           help="Seed of split and training.")  # fmt: skip
workers = click.option("--workers", type=WHOLE, default="auto", show_default="one, or one a GPU",
                       help="Processes that train at once.")  # fmt: skip
machine = (
    workers,
    click.option("--precision", default="auto", show_default=True,
                 help="float32, bfloat16, float16, or auto: what the hardware computes fastest."),
)  # fmt: skip
