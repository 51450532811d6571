"""Escaping: text that is not ours (names in files, a model's sentences) as Markdown of which no markup is followed."""

import re

# Signs that Markdown would follow. An address is no link without its colon or its full stop.
ADDRESS = r":(?=//)|(?<=\bwww)\."
MARKUP = rf"[$&+<=>@\[\\\]^`{{|}}~#!]|{ADDRESS}"
# For report.md, which is also read as plain text: only what makes links, HTML, code, mathematics or attributes.
LINKING = rf"[$&<@\[\\\]^`{{|}}~]|{ADDRESS}"
# Left as it is: what is escaped already, and a word of code.
ESCAPED = r"\\[!-/:-@\[-`{-~]|`\w[\w ./:+-]*`"


def escape(text):
    """Return a name that comes from a file as Markdown that shows it, in one line.

    Every sign of markup is escaped; of two hyphens the second, as both would become a dash.
    """
    return re.sub(r"([!-&*+<=>?@\[-`{-~]|(?<=-)-)", r"\\\1", " ".join(str(text).split()))


def escape_attribute(text):
    """Return text for a quoted attribute in Markdown, such as ``fig-alt="…"``."""
    return re.sub(r'(["\\&{}])', r"\\\1", text)


def escape_inline(text, signs=MARKUP):
    """Return a sentence as Markdown in which only emphasis and words of code work."""
    return re.sub(f"({ESCAPED})|({signs})", lambda match: match[1] or "\\" + match[2], text)


def escape_narrative(text):
    """Return a model's text as Markdown in which headings (one level down), lists, emphasis and words of code work.

    HTML, links, pictures, references, code blocks and Quarto's shortcodes in it are shown, never followed.
    """
    return "\n".join(_line(line, MARKUP, "#") for line in text.splitlines())


def escape_narrative_lightly(text):
    """Return a model's text for ``report.md``: as `escape_narrative`, with its headings and most signs unchanged."""
    # Not every renderer knows that "<" can be escaped; none takes an entity for HTML.
    return "\n".join(_line(line, LINKING, "") for line in text.splitlines()).replace("\\<", "&lt;")


def break_shortcodes(text):
    """Return text of a code block in which Quarto finds no shortcode: a zero-width space parts its brackets."""
    return text.replace("{{<", "{\u200b{<")


def _line(line, signs, lower):
    mark, rest = re.fullmatch(r"(#{1,5} +|\s*(?:[-*]|\d+\.) +)?(.*)", line).groups()
    # A line that starts like a rule, a fence or a metadata block gets a backslash.
    rest = re.sub(r"^(\s*)([-:%])", r"\1\\\2", escape_inline(rest, signs))
    return (lower if (mark or "").startswith("#") else "") + (mark or "") + rest
