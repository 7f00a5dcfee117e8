"""The Recurrent Attention Model (Mnih et al., NIPS 2014) in pure NumPy."""

__all__ = ["load"]


def load(run):
    """Load a trained agent, ready to predict.

    run: a run folder, whose best agent it is; the file of an agent; or a task, such as
    "cluttered", whose agent comes with the project. Raises CheckpointError if there is
    none or it is damaged.
    """
    from ramnp.learning import predictor

    return predictor.load(run)
