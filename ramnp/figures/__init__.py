"""Every picture: of a run, of what an agent sees, of its mistakes, of the proofs."""
