"""Many runs: the rows of the paper's tables, side by side."""
