"""Images of named data sets, ``.npz`` files and folders of photographs, checked, split and gathered into batches.

Only ``sealed`` opens the test part. TensorFlow is imported inside the functions that need it.
"""
