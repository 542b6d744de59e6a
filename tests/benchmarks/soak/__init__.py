"""The soak: a study whose workers and commands are killed at random until it is done, and what is checked then."""
