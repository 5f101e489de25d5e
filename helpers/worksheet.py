"""What a worksheet says about an exercise: right, or not yet. tools/worksheets.py makes worksheets."""

import base64
import json
import re
import zlib

from IPython import get_ipython

from helpers import data, notebook


def check(sealed):
    """Say whether an exercise of a worksheet is solved, without giving its numbers away.

    Args:
        sealed: str, from tools/worksheets.py: in a form that nobody reads by accident, the names that
            the exercise is about and its solution's claims, as expressions for words and outcome.

    Prints a line for every claim that holds, as `claim` does, or what is missing. Raises nothing:
    an exercise that is not solved yet is no mistake.
    """
    names, claims = json.loads(zlib.decompress(base64.b85decode(sealed)))
    values = get_ipython().user_ns
    if missing := [name for name in names if values.get(name) is None]:
        print(f"not yet: the check looks at {', '.join(missing)}")
        return
    for words, holds in claims:
        try:
            text, is_right = eval(words, values), bool(eval(holds, values))
        except Exception as error:  # whatever the reader's values do
            print(f"not yet: the check met {type(error).__name__}: {error}")
            continue
        if is_right:
            notebook.claim(text, True)
        elif data.fallback_in_use():
            print(f"– not so on the fallback data: {text}")
        else:
            print(f"not yet: it should come out that {hide_numbers(text)}")


def hide_numbers(text):
    """Return a text with a box in place of every number."""
    return re.sub(r"\d[\d.,]*(?<![.,])", "■", text)
