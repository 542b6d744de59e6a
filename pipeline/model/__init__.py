"""From knobs to a frozen architecture, and from the architecture to a Keras network."""
