"""Images: named data sets and ``.npz`` files, checked and split; the test part stays unread here.

TensorFlow is needed for the batches alone, and imported there.
"""
