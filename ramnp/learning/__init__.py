"""Section 3 of the paper: how the agent learns."""
