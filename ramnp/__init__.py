"""The Recurrent Attention Model (Mnih et al., NIPS 2014) in pure NumPy."""

from ramnp.learning.config import Config
from ramnp.learning.recipes import make_config
from ramnp.runs.agent_file import load

__all__ = ["Config", "__version__", "load", "make_config"]
__version__ = "0.1.0"
