"""The Recurrent Attention Model (Mnih et al., NIPS 2014) in pure NumPy."""

__all__ = ["load"]


def load(run):
    """Load the best agent of a run, ready to predict.

    run: a run folder, or the file of an agent. Raises CheckpointError if there is none
    or it is damaged.
    """
    from ramnp import agent

    return agent.load(run)
