"""Model files: small YAML files that list the layers of a hand-made model; nothing in them is evaluated.

file -> ``reader`` (allowed layers are in ``layer_table``, their order is checked by ``layer_order``)
-> ``description`` (frozen) -> ``network`` (built by Keras)
"""

from pipeline.model.model_file.description import Layer, ModelFile, Reported
from pipeline.model.model_file.network import build_from_file
from pipeline.model.model_file.reader import is_model_file, parse_model_file, read_model_file

__all__ = ["Layer", "ModelFile", "Reported", "build_from_file", "is_model_file", "parse_model_file", "read_model_file"]
