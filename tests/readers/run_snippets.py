"""Runs the Python snippets of a document's section, each by itself, in a folder. usage: run_snippets.py DOCUMENT HEADING FOLDER"""

import os
import re
import sys

document, heading, folder = sys.argv[1:]
text = open(document, encoding="utf-8").read()
section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
snippets = re.findall(r"```python\n(.*?)```", section, re.S)
os.chdir(folder)
for number, snippet in enumerate(snippets, 1):
    print(f"--- snippet {number}", flush=True)
    exec(compile(snippet, f"snippet {number}", "exec"), {"__name__": "__main__"})
print(f"OK {len(snippets)} snippets")
