"""Hand-made models: a small YAML file that lists layers in order, read without evaluating anything, built by Keras.

file -> ``reader`` (with ``layer_reader``; what is allowed stands in ``layer_table`` and ``training_table``)
-> ``description`` (frozen) -> ``network``
"""

from pipeline.model.hand_made.description import HandMade, Layer, Reported
from pipeline.model.hand_made.network import build_hand_made
from pipeline.model.hand_made.reader import is_hand_made, parse_hand_made, read_hand_made

__all__ = ["HandMade", "Layer", "Reported", "build_hand_made", "is_hand_made", "parse_hand_made", "read_hand_made"]
