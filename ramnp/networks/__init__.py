"""The parts of the agent, one file each (section 3.1 of the paper)."""
