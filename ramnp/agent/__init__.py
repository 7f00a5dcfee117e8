"""Figure 1 of the paper: what the agent computes, forward and backward."""
