"""The readme of the wheel: README.md without links that would lead nowhere."""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

# A Markdown link or picture whose target is a file of the repository.
RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!http|#)([^)]*)\)")


class MetadataHook(MetadataHookInterface):
    """Make relative links absolute, by the URL called Repository in pyproject.toml.

    While it states none, links become their words, and pictures are left out.
    """

    def update(self, metadata):
        """Set the readme."""
        url = metadata["urls"].get("Repository")

        def absolute(link):
            picture, words, target = link.groups()
            if url:
                place = "raw" if picture else "blob"
                return f"{picture}[{words}]({url.rstrip('/')}/{place}/HEAD/{target})"
            return "" if picture else words

        text = (Path(self.root) / "README.md").read_text("utf-8")
        text = re.sub(r"\n{3,}", "\n\n", RELATIVE.sub(absolute, text))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
