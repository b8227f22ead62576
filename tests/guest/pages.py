"""What a page of docs shows: its commands, what they print, and the files of docs/examples. Tests run a page's own words, so that page and
program cannot part."""
import re
import shlex

from lab import TOP

DOCS = TOP / "docs"


class Page:
    def __init__(self, name):
        self.name = name
        self.text = (DOCS / name).read_text(encoding="utf-8")
        self.blocks = [(language, body.splitlines()) for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", self.text, re.M | re.S)]

    def command(self, beginning):
        """The words of the first command that begins so: `anynic run --name old`."""
        for _, lines in self.blocks:
            for line in lines:
                if line[:2] in ("$ ", "# ") and line[2:].startswith(beginning):
                    return shlex.split(line[2:])
        raise LookupError(f"{self.name} shows no command `{beginning}`")

    def options(self, beginning):
        """Of that command the words between the verb and `--`, without --name; for any folder."""
        words = self.command(beginning)[2:]
        words = words[:words.index("--")] if "--" in words else words
        if "--name" in words:
            at = words.index("--name")
            del words[at:at + 2]
        return [str(TOP / word) if word.startswith("docs/") else word for word in words]

    def printed(self, beginning):
        """Patterns for the lines of all blocks that begin so; `...` stands for anything."""
        lines = [line for language, lines in self.blocks if not language for line in lines if line.startswith(beginning)]
        if not lines:
            raise LookupError(f"{self.name} shows no line `{beginning}`")
        return [".*".join(map(re.escape, line.split("..."))) for line in lines]

    def shown(self):
        """The files that it shows, with the text that it shows."""
        return re.findall(r"\[(examples/[\w.-]+)\]\(\1\):\n```xml\n(.*?)^```$", self.text, re.M | re.S)
