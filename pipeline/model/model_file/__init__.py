"""Hand-made models: a small YAML file that lists layers in order, read without evaluating anything, built by Keras.

file -> ``reader`` (with ``layer_reader``; what is allowed stands in ``layer_table`` and ``training_table``)
-> ``description`` (frozen) -> ``network``
"""

from pipeline.model.model_file.description import Layer, ModelFile, Reported
from pipeline.model.model_file.network import build_from_file
from pipeline.model.model_file.reader import is_model_file, parse_model_file, read_model_file

__all__ = ["Layer", "ModelFile", "Reported", "build_from_file", "is_model_file", "parse_model_file", "read_model_file"]
