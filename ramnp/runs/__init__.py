"""A run folder: its state, the agent's file, and the processes that share the work."""
