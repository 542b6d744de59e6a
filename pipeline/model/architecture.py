"""The architecture of a CNN: a frozen description that rebuilds the same network anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.data.scaling import Scaling
from pipeline.data.whitening import PATCH_SIDE, Whitening
from pipeline.errors import OutputError
from pipeline.knobs.table import Knobs, KnobView


@dataclass(frozen=True)
class Block:
    """One block: the filters and paddings of its convolutions, and whether a pooling closes it."""

    filters: tuple[int, ...]
    paddings: tuple[str, ...]
    pools: bool


@dataclass(frozen=True)
class Architecture(KnobView):
    """A CNN for images of ``input_shape``, scaled by ``pixel_scaling``; the knobs of the network are attributes.

    ``fitted_whitening`` has the weights of the whitening of one that ``whitens``.
    """

    knobs: Knobs
    input_shape: tuple[int, ...]
    n_classes: int
    pixel_scaling: Scaling
    fitted_whitening: Whitening | None = None

    @property
    def rank(self) -> int:
        """Spatial axes of an image: 2, or 1 for sequences."""
        return len(self.input_shape) - 1

    @property
    def whitens(self) -> bool:
        """Whether patches of pixels are whitened; images of a single pixel along a side have none."""
        return bool(self.whitening) and min(self.input_shape[:-1]) >= PATCH_SIDE

    @property
    def random_initializer(self) -> str:
        """Keras's initializer of the kernels that are drawn at random."""
        return "he_normal" if self.kernel_initializer == "dirac" else str(self.kernel_initializer)

    def planned_blocks(self) -> tuple[Block, ...]:
        """Return the blocks; three rules make any knobs fit any image.

        A block pools only while every side has as many pixels as are pooled into one, the last block does not pool
        before a global pooling head, and a convolution is padded where the kernel is larger than its input.
        """
        sides = list(self.input_shape[:-1])
        planned = []
        for index in range(self.blocks):
            is_last = index == self.blocks - 1
            filters, paddings = self._filters_of(index, is_last), []
            for _ in filters:
                paddings.append("valid" if self.padding == "valid" and min(sides) >= self.kernel_size else "same")
                sides = [side - (self.kernel_size - 1) * (paddings[-1] == "valid") for side in sides]
            pools = min(sides) >= self.pool_size and not (is_last and self.head != "flatten")
            planned.append(Block(filters, tuple(paddings), pools))
            if pools:
                sides = [_pooled(side, self.pool_size, self.pooling) for side in sides]
        return tuple(planned)

    def dense_units(self) -> tuple[int, ...]:
        """Return the units of each dense layer before the classes."""
        return tuple(max(1, round(self.fc_units * self.fc_growth**step)) for step in range(self.fc_depth))

    def _filters_of(self, index: int, is_last: bool) -> tuple[int, ...]:
        n_convs = self.convs_per_block + (self.last_block_extra_convs if is_last else 0)
        steps = range(n_convs) if self.filter_pattern == "inside_block" else [index] * n_convs
        return tuple(max(1, round(self.filters * self.filter_growth**step)) for step in steps)


def _pooled(side: int, pool_size: int, pooling: str) -> int:
    """Return a side after a pooling; ``side`` is that after the convolution, if this is what has the stride."""
    return -(-side // pool_size) if pooling == "strided" else side // pool_size


def make_architecture(
    knobs: Knobs, *, input_shape: tuple[int, ...], n_classes: int, pixel_scaling: Scaling
) -> Architecture:
    """Return the architecture that ``knobs`` describe.

    Raises:
        OutputError: one sigmoid unit for other than two classes.
    """
    if knobs["output"] == "sigmoid" and n_classes != 2:
        raise OutputError(
            f"output sigmoid is one unit that tells two classes apart, got {n_classes} classes; use output: softmax"
        )
    return Architecture(knobs, input_shape, n_classes, pixel_scaling)
