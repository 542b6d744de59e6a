"""Every refusal of a hand-made model is one line: file, line, rule, value, fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.data.scaling import Scaling
from pipeline.errors import InputError, ModelFileError
from pipeline.model.model_file import build_from_file, read_model_file

SINGLE = "a single value is needed here, got a list or a mapping; write one value"
SHAPE = "'input_shape' must be a list of 3 numbers, or of 2 for sequences; write [height, width, channels]"
ENDING = "  - Flatten\n  - Dense: {units: 2}\n  - Softmax\n"

LAYER_REFUSALS = {
    # Names.
    "Conv2d: {filters: 4, kernel_size: 3}": "unknown layer 'Conv2d'; did you mean 'Conv2D'?",
    "Dens: {units: 3}": "unknown layer 'Dens'; did you mean 'Dense'?",
    "Relu": "unknown layer 'Relu'; did you mean 'ReLU'?",
    "Lambda: {function: print}": "unknown layer 'Lambda'; use one of: Activation, AveragePooling1D,",
    "__import__('os').system('true')": "unknown layer '__import__('os').system('true')'; use one of: Activation",
    "!!python/object/apply:os.getcwd []": "a layer must be its name, or its name with arguments; write 'name: value'",
    "!!python/name:os.getcwd ''": "'' cannot be read (could not determine a constructor for the tag",
    "12": "unknown layer '12'; use one of:",
    "": "unknown layer 'None'; use one of:",
    '"Re\\nLU"': "unknown layer 'Re LU'; did you mean 'ReLU'?",
    # Form.
    "{}": "a layer must have one name, got none; write '- Dense: {units: 10}'",
    "{Dense: {units: 3}, ReLU: {}}": "a layer must have one name, got 'Dense', 'ReLU'; write '- Dense: {units: 10}'",
    "Dense: 3": "the arguments of Dense must have names; write 'name: value' lines",
    "Dense: [3]": "the arguments of Dense must have names; write 'name: value' lines",
    "[Dense, 3]": "a layer must be its name, or its name with arguments; write 'name: value' lines",
    "{[Dense]: {units: 3}}": "a name is needed here, got a list or a mapping; write 'name: value' lines",
    # Arguments.
    "Dense": "Dense needs 'units'; write '- Dense: {units: ...}'",
    "Conv2D: {filters: 4}": "Conv2D needs 'kernel_size'; write '- Conv2D: {kernel_size: ...}'",
    "AveragePooling2D": "AveragePooling2D needs 'pool_size'; write '- AveragePooling2D: {pool_size: ...}'",
    "Dense: {unit: 3}": "unknown argument 'unit' of Dense; did you mean 'units'?",
    "Dense: {units: 3, kernel_regularizer: l2}": "unknown argument 'kernel_regularizer' of Dense; did you mean 'ker",
    "Dense: {units: 3, units: 4}": "'units' stands here twice; remove one of them",
    "ReLU: {max_value: 6}": "unknown argument 'max_value' of ReLU; it takes none",
    "Dense: {units: three}": "'units' of Dense must be a number, got 'three'; change it",
    "Dense: {units: '3'}": "'units' of Dense must be a number, got '3'; change it",
    "Dense: {units: true}": "'units' of Dense must be a number, got True; change it",
    "Dense: {units: 2.5}": "'units' of Dense must be a whole number, got 2.5; change it",
    "Dense: {units: 0}": "'units' of Dense must lie between 1 and 65536, got 0; change it",
    "Dense: {units: 1e9}": "'units' of Dense must lie between 1 and 65536, got 1000000000.0; change it",
    "Dense: {units: .nan}": "'units' of Dense must be a whole number, got nan; change it",
    "Dense: {units: [3]}": SINGLE,
    "Dense: {units: }": "'units' of Dense must be a number, got None; change it",
    "Dense: {units: !!python/name:os.getcwd ''}": "'' cannot be read (could not determine a constructor for the tag",
    "Dense: {units: 3, use_bias: 1}": "'use_bias' of Dense must be true or false, got 1; change it",
    "Dense: {units: 3, activation: rleu}": "got 'rleu'; did you mean 'relu'?",
    "Conv2D: {filters: 4, kernel_size: 3, padding: full}": "must be one of valid, same, got 'full'; use one of: same,",
    "Conv2D: {filters: 4, kernel_size: [3]}": "'kernel_size' of Conv2D must be one number or a list of 2, got 1; ch",
    "Conv2D: {filters: 4, kernel_size: [3, 0]}": "'kernel_size' of Conv2D must lie between 1 and 1024, got 0; ch",
    "Conv2D: {filters: 4, kernel_size: [3, [3]]}": SINGLE,
    "Conv2D: {filters: 4, kernel_size: {side: 3}}": SINGLE,
    "Conv2D: {filters: [4, 4], kernel_size: 3}": SINGLE,
    "Conv2D: {filters: 4, kernel_size: 3, kernel_initializer: he}": "got 'he'; use one of: glorot_normal,",
    "SeparableConv2D: {filters: 4, kernel_size: 3, strides: [1, 2]}": SINGLE,
    "Dropout: {rate: 1}": "'rate' of Dropout must lie between 0 and 0.999, got 1; change it",
    "Dropout: {rate: -0.1}": "'rate' of Dropout must lie between 0 and 0.999, got -0.1; change it",
    "BatchNormalization: {momentum: 2}": "'momentum' of BatchNormalization must lie between 0 and 1, got 2; change it",
    "Backbone: {name: VGG19}": "'name' of Backbone must be one of VGG16,",
    "Backbone: {name: VGG16, weights: mine.h5}": "'weights' of Backbone must be one of imagenet, random, got 'mine.h5'",
    # Places.
    "Conv1D: {filters: 4, kernel_size: 3}": "Conv1D is for sequences (input_shape [length, channels]), but these are "
    "images (input_shape [height, width, channels]); use Conv2D",
    "MaxPooling1D": "MaxPooling1D is for sequences (input_shape [length, channels]), but these are images",
    "Backbone: {name: VGG16}": "VGG16 needs images of 32 x 32 pixels or more, got 8 x 8; change input_shape",
}

ENDINGS = {
    "  - Flatten\n  - MaxPooling2D\n": (5, "MaxPooling2D cannot follow a layer that flattens; move it before"),
    "  - GlobalMaxPooling2D\n  - Conv2D: {filters: 4, kernel_size: 3}\n": (5, "Conv2D cannot follow a layer that"),
    "  - Flatten\n  - Dense: {units: 2}\n": (5, "the last layer must give class probabilities, got Dense; add '- Sof"),
    "  - Softmax\n  - ReLU\n": (5, "the last layer must give class probabilities, got ReLU; add '- Softmax'"),
    "  - Dropout: {rate: 0.1}\n": (4, "the last layer must give class probabilities, got Dropout; add '- Softmax'"),
    "  - Dense: {units: 2}\n  - Softmax\n": (5, "one row of probabilities per image, got one per position; add"),
    "  - ReLU\n  - Backbone: {name: VGG16}\n": (5, "Backbone must be the first layer; move it there"),
    "  - !!python/object:os.system {}\n": (4, "a layer must have one name, got none; write '- Dense: {units: 10}'"),
}

SECTION_REFUSALS = {
    "input_shape: 8": SHAPE,
    "input_shape: [8]": SHAPE,
    "input_shape: [8, 8, 8, 1]": SHAPE,
    "input_shape: [8, 0, 1]": "'input_shape' must lie between 1 and 10000, got 0; change it",
    "input_shape: [8, 8, one]": "'input_shape' must be a number, got 'one'; change it",
    "dataset: [mnist]": SINGLE,
    "dataset: 3": "'dataset' must be a text, got 3; write it in quotes",
    "dataset: no": "'dataset' must be a text, got False; write it in quotes",
    "dataset:": "'dataset' must be a text, got None; write it in quotes",
    "n_parameters: many": "'n_parameters' must be a number, got 'many'; change it",
    "n_parameters: 0": "'n_parameters' must lie between 1 and 1e+12, got 0; change it",
    "n_parameters: 1.5": "'n_parameters' must be a whole number, got 1.5; change it",
    "validated_on: tests": "'validated_on' must be one of last_fifth, seven_to_three, validation_folder, test_images",
    "reported: 0.9": "'reported' must be a list; write '- {accuracy: 0.9, on: test}' lines, or []",
    "reported: [0.9]": "a reported result must have names and values; write 'name: value' lines",
    "reported: [{on: test}]": "a reported result needs 'accuracy'; add it, as a share between 0 and 1",
    "reported: [{acuracy: 0.9}]": "unknown key 'acuracy' of a reported result; did you mean 'accuracy'?",
    "reported: [{accuracy: 98.6}]": "'accuracy' must lie between 0 and 1, got 98.6; change it",
    "reported: [{accuracy: 0.9, on: tset}]": "'on' must be one of test, validation, train, got 'tset'; did you",
    "reported: [{accuracy: 0.9, n_images: 0}]": "'n_images' must lie between 1 and 1e+12, got 0; change it",
    "reported: [{accuracy: 0.9, note: 3}]": "'note' must be a text, got 3; write it in quotes",
    "training: adam": "'training' must map knob names to values; write 'name: value' lines",
    "training: {epoch: 3}": "unknown training setting 'epoch'; did you mean 'epochs'?",
    "training: {epochs: 0}": "'epochs' must lie between 1 and 100000, got 0; change it",
    "training: {optimizer: adm}": "got 'adm'; did you mean 'adam'?",
    "training: {epochs: [3]}": SINGLE,
    "training: {filters: 8}": "'filters' is a knob of the network, which 'layers' lists; remove it",
    "training: {learning_rate: 0}": "'learning_rate' must lie between 1e-07 and 10, got 0; change it",
    "training: {early_stopping_monitor: val_loss}": "'early_stopping_monitor' has no effect without "
    "'early_stopping_patience'; add that, or remove this",
    "training: {plateau_factor: 0.1}": "'plateau_factor' has no effect without 'learning_rate_schedule: plateau'; add",
    "training: {plateau_cooldown: 1, learning_rate_schedule: cosine}": "'plateau_cooldown' has no effect without 'lear",
    "training: {plateau_monitor: loss}": "'plateau_monitor' has no effect without 'learning_rate_schedule: plateau'; a",
    "training: {plateau_factor: 1, learning_rate_schedule: plateau}": "'plateau_factor' must lie between 0.001 and",
    "training: {validation_share: 0.2}": "unknown training setting 'validation_share'; use one of: ",
    "training: {output: sigmoid}": "'output' is a knob of the network, which 'layers' lists; remove it",
    "training: {augmentation: shift}": "got 'shift'; did you mean 'shifts'?",
    "training: {augmentation: {zoom: 0.2}}": SINGLE,
    "training: {zom: 0.2}": "unknown training setting 'zom'; did you mean 'zoom'?",
    "training: {shear_degree: 0.2}": "unknown training setting 'shear_degree'; did you mean 'shear_degrees'?",
    "training: {zoom: 2}": "'zoom' must lie between 0 and 0.9, got 2; change it",
    "training: {zoom: [0.8, 1.2]}": SINGLE,
    "training: {horizontal_flip: 1}": "'horizontal_flip' must be true or false, got 1; change it",
    "training: {brightness: [0.5, 1.5]}": SINGLE,
    "training: {brightness: dark}": "'brightness' must be a number, got 'dark'; change it",
    "layers: ": "'layers' must be a list of at least one layer; start each with '- '",
    "layers: []": "'layers' must be a list of at least one layer; start each with '- '",
    "layers: {Dense: {units: 2}}": "'layers' must be a list of at least one layer; start each with '- '",
    "layer: []": "unknown section 'layer'; did you mean 'layers'?",
    "name: mine": "unknown section 'name'; use one of: dataset, input_shape, knobs, layers,",
}
SECTIONS = {"input_shape": "input_shape: [8, 8, 1]", "layers": "layers: [Flatten, Dense: {units: 2}, Softmax]"}

FILE_REFUSALS = [
    ("", 1, "a hand-made model must have the section 'input_shape'; add it"),
    ("input_shape: [8, 8, 1]\n", 1, "a hand-made model must have the section 'layers'; add it"),
    ("- Flatten\n", 1, "a hand-made model must have the section 'input_shape'; write 'name: value' lines"),
    ("layers:\n  - Dense: {units: 2\n", 3, "not valid YAML ("),
    ("dataset: mnist\ndataset: mnist\n", 2, "'dataset' stands here twice; remove one of them"),
    ("layers: *missing\n", 1, "not valid YAML (found undefined alias 'missing'); correct that line"),
    ("layers: " + "[" * 5000 + "]" * 5000 + "\n", 1, "lists or mappings are nested too deeply; correct the file"),
    ("dataset: mnist\x00\n", 1, "not valid YAML ("),
]

# Layers on images of 8x8x1, from line 3 on: what only the building finds.
BUILD_REFUSALS = [
    (
        "  - MaxPooling2D: {pool_size: 9}\n" + ENDING,
        3,
        "MaxPooling2D does not fit its input of shape (8, 8, 1) (Computed output size would be zero or negative); "
        "change its arguments or the layers before it, or use larger images",
    ),
    (
        "  - ReLU\n  - Conv2D: {filters: 2, kernel_size: 9}\n" + ENDING,
        4,
        "Conv2D does not fit its input of shape (8, 8",
    ),
    (
        "  - Conv2D: {filters: 2, kernel_size: 3, strides: 2, dilation_rate: 2}\n" + ENDING,
        3,
        "Conv2D does not fit its input of shape (8, 8, 1) (",
    ),
    ("  - Flatten\n  - Dense: {units: 1}\n  - Softmax\n", 5, "softmax needs two classes or more, got 1; use sigmoid"),
    ("  - Flatten\n  - Dense: {units: 2, activation: sigmoid}\n", 4, "sigmoid needs one unit, got 2; use softmax"),
]


def refusal(tmp_path: Path, text: str) -> str:
    """Return the one line with which ``text`` is refused, less the folder."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileError) as caught:
        build(path)
    return one_line(caught.value, tmp_path)


def build(path: Path, *, weights: Path | None = None) -> Any:
    return build_from_file(
        read_model_file(path), pixel_scaling=Scaling((1.0,), (0.0,)), backbone_weights=weights, precision="float32"
    )


def one_line(error: ModelFileError, folder: Path) -> str:
    message = str(error)
    assert message.splitlines() == [message]
    assert "; " in message  # the fix
    return message.removeprefix(f"{folder}/")


@pytest.mark.parametrize(("layer", "message"), LAYER_REFUSALS.items(), ids=lambda text: text[:40])
def test_layer_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, layer: str, message: str) -> None:
    refused = refusal(tmp_path, f"# Mine.\ninput_shape: [8, 8, 1]\nlayers:\n  - {layer}\n{ENDING}")

    assert refused.startswith("mine.yaml:4: ")
    assert message in refused


@pytest.mark.parametrize(("layers", "line", "message"), [(text, *rest) for text, rest in ENDINGS.items()])
def test_layer_in_a_wrong_place_is_refused_with_its_line(tmp_path: Path, layers: str, line: int, message: str) -> None:
    refused = refusal(tmp_path, f"# Mine.\ninput_shape: [8, 8, 1]\nlayers:\n{layers}")

    assert refused.startswith(f"mine.yaml:{line}: ")
    assert message in refused


def test_layer_of_images_is_refused_for_sequences(tmp_path: Path) -> None:
    refused = refusal(tmp_path, f"input_shape: [8, 1]\nlayers:\n  - GlobalMaxPooling2D\n{ENDING}")

    assert refused.startswith("mine.yaml:3: GlobalMaxPooling2D is for images (")
    assert refused.endswith("; use GlobalMaxPooling1D")


@pytest.mark.parametrize(("section", "message"), SECTION_REFUSALS.items(), ids=lambda text: text[:40])
def test_section_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, section: str, message: str) -> None:
    others = [text for name, text in SECTIONS.items() if not section.startswith(f"{name}:")]

    refused = refusal(tmp_path, "\n".join([*others, section, ""]))

    assert refused.startswith(f"mine.yaml:{len(others) + 1}: ")
    assert message in refused


@pytest.mark.parametrize(("text", "line", "message"), FILE_REFUSALS, ids=range(len(FILE_REFUSALS)))
def test_file_that_is_no_model_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    refused = refusal(tmp_path, text)

    assert refused.startswith(f"mine.yaml:{line}: ")
    assert message in refused


@pytest.mark.parametrize(("layers", "line", "message"), BUILD_REFUSALS, ids=range(len(BUILD_REFUSALS)))
def test_layer_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, layers: str, line: int, message: str) -> None:
    refused = refusal(tmp_path, f"input_shape: [8, 8, 1]\nlayers:\n{layers}")

    assert refused.startswith(f"mine.yaml:{line}: ")
    assert message in refused


def test_wrong_count_of_parameters_is_refused_with_the_line_of_the_layers(tmp_path: Path) -> None:
    refused = refusal(tmp_path, f"input_shape: [8, 8, 1]\nn_parameters: 1234\nlayers:\n{ENDING}")

    assert refused == (
        "mine.yaml:4: the layers from here on have 130 parameters, but n_parameters says 1,234; "
        "correct the layers, or n_parameters"
    )


@pytest.mark.parametrize("content", [None, b"no weights"], ids=["missing", "no weights"])
def test_unusable_weights_of_a_backbone_are_refused_with_its_line(tmp_path: Path, content: bytes | None) -> None:
    path, weights = tmp_path / "mine.yaml", tmp_path / "mine.weights.h5"
    path.write_text(f"input_shape: [32, 32, 3]\nlayers:\n  - Backbone: {{name: MobileNetV3Small}}\n{ENDING}")
    if content:
        weights.write_bytes(content)

    with pytest.raises(ModelFileError) as caught:
        build(path, weights=weights)

    refused = one_line(caught.value, tmp_path)
    assert refused.startswith(
        f"mine.yaml:3: the weights of MobileNetV3Small must fit its network without top, but '{weights}' cannot be "
        "loaded ("
    )
    assert refused.endswith("; put the right file there")


def test_images_that_a_backbone_does_not_take_are_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"input_shape: [75, 75, 3]\nlayers:\n  - Backbone: {{name: InceptionV3}}\n{ENDING}")
    model = read_model_file(path).at((40, 40, 3))

    with pytest.raises(ModelFileError, match=r"mine\.yaml:3: InceptionV3 needs images of 75 x 75 .* got 40 x 40; res"):
        build_from_file(model, pixel_scaling=Scaling((1.0,) * 3, (0.0,) * 3), backbone_weights=None)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"^a hand-made model must be a readable YAML file, got '.*/no\.yaml' \("):
        read_model_file(tmp_path / "no.yaml")


def test_file_that_is_no_text_is_to_be_saved_as_such(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00layers")

    with pytest.raises(ModelFileError, match=r"must be a readable YAML file, got .*; save it as UTF-8 text"):
        read_model_file(path)


def test_refused_model_is_unusable_input() -> None:
    assert issubclass(ModelFileError, InputError)
    assert ModelFileError.exit_code == 2
