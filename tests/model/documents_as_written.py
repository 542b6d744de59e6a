"""What the five documents hold, transcribed from their code and text, and from nowhere else in this project.

A layer is written ``kind numbers options``, layers are separated by ``;`` or a new line, and what follows ``#`` is
where it stands (document:lines). Of a convolution the numbers are filters and kernel, of a pooling its size, of a
dense layer its units, of a dropout its rate. Options are ``same`` (else valid padding), ``/2`` (a stride of 2; that of
a pooling is its size), ``he_uniform`` (else Keras's glorot_uniform), and an activation (else none).
"""

from __future__ import annotations

CNN_BN_1 = """
    conv 16 3x3 same; bn; relu                          # 000:15-17
    conv 32 3x3 same /2; maxpool 2; bn; relu            # 000:19-22
    flatten; dense 128; bn; relu; dense 10 softmax      # 000:25-29
"""
CNN_BN_3 = """
    conv 32 3x3 same; bn; relu                          # 000:62-64
    conv 32 3x3 same; bn; relu                          # 000:66-68
    conv 32 5x5 same /2; bn; relu; dropout 0.4          # 000:70-73
    conv 64 3x3 same; bn; relu                          # 000:75-78
    conv 64 3x3 same; bn; relu                          # 000:80-83
    conv 64 3x3 same /2; bn; relu                       # 000:85-87
    conv 128 4x4 same; bn; relu                         # 000:93-95
    flatten; dropout 0.4; dense 128; dense 10 softmax   # 000:98-103
"""
MNIST_POOL = """
    conv 32 4x4 relu; maxpool 2; conv 64 3x3 relu; maxpool 2; dropout 0.2
    flatten; dense 256{first_dense}; dense 128 relu; dense 10 softmax
"""
TWO_DROPOUTS = """
    conv 64 3x3 same relu; maxpool 2; dropout {first}   # 001:186-191
    conv 128 3x3 same relu; maxpool 2; dropout {second} # 001:192-194
    flatten; dense 256 relu; dense 128 relu; dense {classes} softmax
"""
CIFAR10_BASIC = """
    conv 16 3x3 same relu he_uniform; maxpool 2         # 002:718-720
    conv 32 3x3 same relu he_uniform; maxpool 2         # 002:721-723
    conv 64 3x3 same relu he_uniform; maxpool 2         # 002:724-726
    flatten; dense 10 softmax                           # 002:727-729
"""
TWO_PLAIN = "conv 16 3x3 same relu he_uniform; conv 32 3x3 same relu he_uniform; maxpool 2;"  # 002:1115-1119
TWO = "conv 16 3x3 same he_uniform; bn; relu; conv 32 3x3 same he_uniform; bn; relu;"  # 002:1218-1224
THREE = f"{TWO} conv 64 3x3 same he_uniform; bn; relu;"  # 002:1494-1503
TWO, THREE = f"{TWO} maxpool 2;", f"{THREE} maxpool 2;"
END = "dense 10 softmax; dropout 0.1"
WEATHER_3 = """
    conv 32 5x5 same; bn; relu                          # 003:495-498
    conv 32 3x3 same relu; bn; maxpool 2                # 003:500-502
    conv 64 3x3 same relu; bn; relu                     # 003:507-509
    conv 64 3x3 same relu; bn; relu; maxpool 2          # 003:511-515
    conv 128 3x3 same relu; bn; relu                    # 003:517-519
    conv 128 3x3 same relu; bn; relu; maxpool 2         # 003:521-525
    conv 256 3x3 same relu; bn; relu                    # 003:527-529
    conv 256 3x3 same relu; bn; relu; maxpool 2         # 003:531-535
    average; dense 512 relu; dropout 0.5                # 003:537-540
    dense 128 relu; dropout 0.5; dense 4 softmax        # 003:542-545
"""

LAYERS = {
    "cnn_bn_1": CNN_BN_1,
    "cnn_bn_2": CNN_BN_1,  # 000:43, "the same situation"
    "cnn_bn_3": CNN_BN_3,
    "cnn_bn_4": CNN_BN_3,  # 000:110, "the model was modified", it is not said how
    "tiny_8x8": "conv 10 3x3; conv 7 2x2 relu; flatten; dense 32 relu; dense 10 softmax",  # 001:49-55
    "mnist_pool": MNIST_POOL.format(first_dense=""),  # 001:57-67
    "fashion_plain": """
        conv 32 3x3; conv 64 3x3 relu                   # 001:123-124
        flatten; dense 256 relu; dense 128 relu; dense 10 softmax
    """,
    "fashion_pool": MNIST_POOL.format(first_dense=" relu"),  # 001:151-159
    "cifar100_pool": TWO_DROPOUTS.format(first=0.25, second=0.2, classes=100),
    "cifar10_search_1": TWO_DROPOUTS.format(first=0.2, second=0.2, classes=10),  # 001:215-216
    "cifar10_search_2": TWO_DROPOUTS.format(first=0.3, second=0.6, classes=10),  # 001:225-226
    "cifar10_search_3": TWO_DROPOUTS.format(first=0.2, second=0.7, classes=10),  # 001:235-236
    "cifar10_search_4": TWO_DROPOUTS.format(first=0.1, second=0.8, classes=10),  # 001:264-276
    "example_1": """
        conv 32 3x3 relu; maxpool 2; conv 64 3x3 relu; maxpool 2   # 002:240-245
        flatten; dense 1024 relu; dense 10 softmax                 # 002:248-250
    """,
    "example_2d": """
        conv 32 3x3 relu; maxpool 2; conv 64 3x3 relu; maxpool 2   # 002:274-277
        flatten; dense 10 softmax                                  # 002:278-279
    """,
    "example_1d": """
        conv 32 5 relu; maxpool 2; conv 64 5 relu; maxpool 2       # 002:316-319
        flatten; dense 2 softmax                                   # 002:320-321
    """,
    "mnist_chapter4": """
        conv 32 5x5 relu; maxpool 2; conv 64 2x2 relu; maxpool 2   # 002:415-419
        flatten; dropout 0.5; dense 10 softmax                     # 002:420-422
    """,
    "cifar10_basic": CIFAR10_BASIC,
    "cifar10_model_1": f"{CIFAR10_BASIC}; dropout 0.1",  # 002:1008-1023
    "cifar10_model_2": f"{TWO_PLAIN * 3} flatten; {END}",  # 002:1113-1134
    "cifar10_model_3": f"{TWO * 3} flatten; {END}",  # 002:1214-1248
    "cifar10_model_4": f"{TWO * 3} flatten; dense 50 relu; {END}",  # 002:1309-1345
    "cifar10_model_5": f"{TWO * 3} flatten; dense 100 relu; dense 50 relu; {END}",  # 002:1399-1436
    "cifar10_model_6": f"{THREE * 3} flatten; {END}",  # 002:1490-1534
    "cifar10_model_7": f"{THREE * 3} flatten; dense 1024 relu; {END}",  # 002:1590-1635
    "cifar10_model_8": f"{THREE * 3} flatten; dense 1024 relu; dense 512 relu; {END}",  # 002:1691-1737
    # As meant: "after each fully connected hidden layer a dropout (rate = 0.1)", 002:909.
    "cifar10_model_1_meant": CIFAR10_BASIC,
    "cifar10_model_2_meant": f"{TWO_PLAIN * 3} flatten; dense 10 softmax",
    "cifar10_model_3_meant": f"{TWO * 3} flatten; dense 10 softmax",
    "cifar10_model_4_meant": f"{TWO * 3} flatten; dense 50 relu; dropout 0.1; dense 10 softmax",
    "cifar10_model_5_meant": (
        f"{TWO * 3} flatten; dense 100 relu; dropout 0.1; dense 50 relu; dropout 0.1; dense 10 softmax"
    ),
    "cifar10_model_6_meant": f"{THREE * 3} flatten; dense 10 softmax",
    "cifar10_model_7_meant": f"{THREE * 3} flatten; dense 1024 relu; dropout 0.1; dense 10 softmax",
    "cifar10_model_8_meant": (
        f"{THREE * 3} flatten; dense 1024 relu; dropout 0.1; dense 512 relu; dropout 0.1; dense 10 softmax"
    ),
    "transfer_vgg16": "VGG16 of 0..1; flatten; dense 512 relu; dropout 0.5; dense 1 sigmoid",  # 002:1980, 2003-2024
    "transfer_inception": (
        "InceptionV3 of 0..1; flatten; dense 1024 relu; dropout 0.2; dense 1 sigmoid"  # 002:2093, 2114-2126
    ),
    "weather_model_1": """
        conv 32 5x5 same relu; maxpool 2                # 003:177-180
        conv 64 3x3 same relu; maxpool 2; conv 64 3x3 relu         # 003:181-183
        flatten; dense 64 relu; dense 4 softmax         # 003:184-186
    """,
    "weather_model_2": """
        conv 32 5x5 same relu; maxpool 2                # 003:376-379
        conv 64 3x3 same relu; maxpool 2                # 003:380-381
        conv 128 3x3 same relu; maxpool 2               # 003:382-383
        conv 256 3x3 same relu; maxpool 2               # 003:388-389
        conv 512 3x3 same relu; maxpool 2               # 003:390-391
        conv 512 3x3 relu                               # 003:392
        flatten; dense 512 relu; dense 256 relu; dense 128 relu; dense 4 softmax  # 003:394-398
    """,
    "weather_model_3": WEATHER_3,
    "weather_model_3_plateau": WEATHER_3,  # 003:636-656 trains the same model
    "letters_dnn": """
        minus 1                                         # 004:27, where the maximum is subtracted
        flatten; dense 256 relu; dense 256 relu; bn; dropout 0.2   # 004:33
        dense 128 relu; dense 128 relu; bn; dropout 0.2
        dense 64 relu; dense 64 relu; bn; dropout 0.2; dense 10 softmax
    """,
    "functional_cnn": """
        conv 128 3x3 same relu; conv 128 3x3 same relu; maxpool 2  # 004:50
        flatten; dense 128 relu; dense 10 softmax
    """,
    "lenet_5": """
        conv 6 5x5 relu; maxpool 2; conv 16 5x5 relu; maxpool 2    # 004:40-47; the activations are ours
        flatten; dense 120 relu; dense 84 relu; dense 10 softmax   # 004:49; the hidden layers are ours
    """,
}

# Training as a document states it; the batch size of 128 in 000 follows from its 375 steps of 48,000 images.
TUTORIAL = {"scaling": "zero_one", "optimizer": "adam", "learning_rate": 0.001}
CHAPTER = {
    "scaling": "zero_one", "optimizer": "adam", "learning_rate": 0.001, "batch_size": 32, "epochs": 100,
    "early_stopping_monitor": "val_accuracy", "early_stopping_patience": 10,
}  # fmt: skip
TRANSFER = {
    "optimizer": "rmsprop", "learning_rate": 0.0001, "momentum": 0.0, "batch_size": 20, "epochs": 10,
    "steps_per_epoch": 100, "rotation_degrees": 40.0, "width_shift": 0.2, "height_shift": 0.2,
    "shear_degrees": 0.2, "zoom": 0.2, "horizontal_flip": True,
}  # fmt: skip
WEATHER = {
    "scaling": "zero_one", "optimizer": "adam", "learning_rate": 0.001, "batch_size": 32,
    "rotation_degrees": 20.0, "width_shift": 0.2, "height_shift": 0.2, "shear_degrees": 0.2, "zoom": 0.2,
    "horizontal_flip": True, "brightness": 0.5,
}  # fmt: skip
PLATEAU = {
    "learning_rate_schedule": "plateau", "plateau_monitor": "val_accuracy", "plateau_factor": 0.1,
    "plateau_patience": 5, "plateau_cooldown": 3, "plateau_min_learning_rate": 1e-30,
}  # fmt: skip
NOTES = {
    "scaling": "min_max", "optimizer": "adam", "learning_rate": 0.001, "batch_size": 32,
    "early_stopping_monitor": "val_loss", "early_stopping_patience": 5,
}  # fmt: skip

TRAINING: dict[str, dict[str, object]] = {
    "cnn_bn_1": {"batch_size": 128, "learning_rate": 0.001, "epochs": 40},  # 000:35-37
    "cnn_bn_2": {"batch_size": 128, "learning_rate": 0.001, "epochs": 50},  # 000:43-47, lowered after it
    "cnn_bn_3": {"batch_size": 128, "learning_rate": 0.0001, "epochs": 50},  # 000:47-53
    "cnn_bn_4": {"batch_size": 128, "learning_rate": 0.0001, "epochs": 100},  # 000:110
    "fashion_plain": {**TUTORIAL, "batch_size": 256, "epochs": 10},  # 001:117, 130-133
    "fashion_pool": {**TUTORIAL, "batch_size": 256, "epochs": 10},  # 001:145, 161-164
    "cifar100_pool": {**TUTORIAL, "batch_size": 256, "epochs": 10},  # 001:182, 200-204
    "cifar10_search_1": {**TUTORIAL, "batch_size": 256, "epochs": 30},  # 001:217-218
    "cifar10_search_2": {**TUTORIAL, "batch_size": 256, "epochs": 30},  # 001:227-228
    "cifar10_search_3": {**TUTORIAL, "batch_size": 256, "epochs": 50},  # 001:237-238
    "cifar10_search_4": {**TUTORIAL, "batch_size": 128, "epochs": 50},  # 001:248-249, 278-282
    "mnist_chapter4": {**TUTORIAL, "batch_size": 128, "epochs": 10},  # 002:347, 398, 453-455
    "cifar10_basic": {**CHAPTER, "early_stopping_patience": 20},  # 002:705, 732, 766-775
    **{f"cifar10_model_{number}": CHAPTER for number in range(1, 9)},  # 002:961, 973, 1026, 1035-1040
    **{f"cifar10_model_{number}_meant": CHAPTER for number in range(1, 9)},
    "transfer_vgg16": TRANSFER,  # 002:1980-1990, 2028-2032
    "transfer_inception": TRANSFER,  # 002:2093-2104, 2130-2134
    "weather_model_1": {**WEATHER, "epochs": 30},  # 003:119-130, 210-222, 334
    "weather_model_2": {**WEATHER, "epochs": 50},  # 003:448-463
    "weather_model_3": {**WEATHER, "epochs": 100},  # 003:597
    "weather_model_3_plateau": {**WEATHER, **PLATEAU, "epochs": 100},  # 003:626-642
    "letters_dnn": {**NOTES, "epochs": 100_000},  # 004:27, 33
    "functional_cnn": {**NOTES, "epochs": 100},  # 004:50-51
}

# All results, as accuracy, part of the data, number of its images, loss; None where the document does not say.
CIFAR10_TEST = ("test", 10_000)
PHOTOGRAPHS, BATCHES = ("validation", 339), ("test", 160)  # 003:103; 003:252, five batches of 32
REPORTED: dict[str, list[tuple[float, str | None, int | None, float | None]]] = {
    "cnn_bn_1": [(0.986, None, None, None)],  # 000:39
    "cnn_bn_2": [(0.9901, None, None, None)],  # 000:45
    "cnn_bn_3": [(0.9921, None, None, None)],  # 000:55
    "cnn_bn_4": [
        (0.995, None, None, None), (0.9949, None, None, None), (0.9946, None, None, None),  # 000:112-120
        (0.9946, "validation", 12_000, 0.0502), (0.9941, "validation", 12_000, 0.0549),  # 000:133, 169
    ],
    "cifar10_search_1": [(0.7424, *CIFAR10_TEST, 1.3286)],  # 001:221-222
    "cifar10_search_2": [(0.7567, *CIFAR10_TEST, 0.9204)],  # 001:231-232
    "cifar10_search_3": [(0.7612, *CIFAR10_TEST, 0.9590)],  # 001:241-242
    "cifar10_search_4": [(0.7837, *CIFAR10_TEST, 0.6487)],  # 001:291-292
    "mnist_chapter4": [(0.9931, "test", 10_000, 0.0224)],  # 002:461-462
    "cifar10_basic": [(0.6927, *CIFAR10_TEST, 1.3038)],  # 002:817-818
    "cifar10_model_1": [(0.6924, *CIFAR10_TEST, 1.1286), (0.7100, *CIFAR10_TEST, None)],  # 002:1060-1061, 1830
    "cifar10_model_2": [(0.7258, *CIFAR10_TEST, 0.9083), (0.7001, *CIFAR10_TEST, None)],  # 002:1167-1168, 1831
    "cifar10_model_3": [(0.7447, *CIFAR10_TEST, 0.8399), (0.7486, *CIFAR10_TEST, None)],  # 002:1279-1280, 1832
    "cifar10_model_4": [(0.7482, *CIFAR10_TEST, 0.8328), (0.7482, *CIFAR10_TEST, None)],  # 002:1371-1372, 1833
    "cifar10_model_5": [(0.7409, *CIFAR10_TEST, 0.9000), (0.7409, *CIFAR10_TEST, None)],  # 002:1462-1463, 1834
    "cifar10_model_6": [(0.7849, *CIFAR10_TEST, 0.8508), (0.7849, *CIFAR10_TEST, None)],  # 002:1561-1562, 1835
    "cifar10_model_7": [(0.7812, *CIFAR10_TEST, 1.1643), (0.7812, *CIFAR10_TEST, None)],  # 002:1661-1662, 1836
    "cifar10_model_8": [(0.7920, *CIFAR10_TEST, 1.0829), (0.7920, *CIFAR10_TEST, None)],  # 002:1765-1766, 1837
    "transfer_vgg16": [(0.9240, "validation", 1_000, 0.1962)],  # 002:2063-2064
    "transfer_inception": [(0.9610, "validation", 1_000, 0.1544)],  # 002:2162-2163
    "weather_model_1": [
        (0.9027, *PHOTOGRAPHS, 0.3337), (0.9000, *BATCHES, 0.2586),  # 003:245, 260
        (0.8850, *PHOTOGRAPHS, 0.3893), (0.8761, *PHOTOGRAPHS, 0.3994), (0.8687, *BATCHES, 0.3700),  # 003:301-319
        (0.9233, *PHOTOGRAPHS, 0.3349), (0.8968, *PHOTOGRAPHS, 0.3736),  # 003:344-348
    ],
    "weather_model_2": [
        (0.8112, *PHOTOGRAPHS, 0.5223), (0.6077, *PHOTOGRAPHS, 0.8469),  # 003:438-444
        (0.9263, *PHOTOGRAPHS, 0.3040), (0.9125, *BATCHES, 0.3244),  # 003:463, 469
    ],
    "weather_model_3": [(0.8850, *PHOTOGRAPHS, 0.3166), (0.8875, *BATCHES, 0.3226)],  # 003:606-612
    "weather_model_3_plateau": [(0.9676, *PHOTOGRAPHS, 0.1532), (0.9812, *BATCHES, 0.1517)],  # 003:675-684
    "letters_dnn": [(0.9076, "test", 3_745, 0.3140)],  # 004:37
}  # fmt: skip
