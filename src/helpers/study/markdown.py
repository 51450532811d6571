"""Markdown: names and a model's sentences, escaped in this one place; tables, figures, and references to them."""

import re

import pandas as pd
from IPython.display import Markdown

# Signs that Markdown would follow. An address is no link without its colon or its full stop.
ADDRESS = r":(?=//)|(?<=\bwww)\."
MARKUP = rf"[$&+<=>@\[\\\]^`{{|}}~#!]|{ADDRESS}"
# For report.md, which is also read as plain text: only what makes links, HTML, code, mathematics or attributes.
LINKING = rf"[$&<@\[\\\]^`{{|}}~]|{ADDRESS}"
KINDS = {"fig": "Figure", "tbl": "Table"}  # by the beginning of a label
# Left as it is: what is escaped already, and a word of code.
ESCAPED = r"\\[!-/:-@\[-`{-~]|`\w[\w ./:+-]*`"


def escape(value):
    """Return a name as Markdown that shows it, in one line: no markup, HTML or shortcode in it is followed.

    >>> print(escape("a_b <c>"))
    a\\_b \\<c\\>
    """
    # Of two hyphens the second, as both would become a dash; and what would begin a list.
    text = re.sub(rf"([!-&*+<=>?@\[-`{{-~]|(?<=-)-|{ADDRESS})", r"\\\1", " ".join(break_shortcodes(str(value)).split()))
    return re.sub(r"^(\d+)([.)])(?= |$)|^-(?= )", lambda found: f"{found[1] or ''}\\{found[2] or '-'}", text)


def escape_attribute(value):
    """Return text for a quoted attribute in Markdown, such as ``alt="…"``."""
    return re.sub(r'(["\\&{}<])', r"\\\1", " ".join(break_shortcodes(str(value)).split()))


def escape_prose(text, signs=MARKUP, lower="#"):
    """Return a model's text as Markdown in which headings (`lower`), lists, emphasis and words of code work.

    HTML, links, pictures, references, code blocks and shortcodes in it are shown, never followed.
    """
    return "\n".join(_escape_line(line, signs, lower) for line in text.splitlines())


def escape_prose_lightly(text):
    """Return a model's text for ``report.md``: as `escape_prose`, with its headings and most signs unchanged."""
    # Not every renderer knows that "<" can be escaped; none takes an entity for HTML.
    return escape_prose(text, LINKING, "").replace("\\<", "&lt;")


def _escape_line(line, signs, lower):
    mark, rest = re.fullmatch(r"(#{1,5} +|\s*(?:[-*]|\d+\.) +)?(.*)", line).groups()
    rest = re.sub(f"({ESCAPED})|({signs})", lambda found: found[1] or "\\" + found[2], rest)
    rest = re.sub(r"^(\s*)([-:%])", r"\1\\\2", rest)  # a line that starts like a rule, a fence or a metadata block
    return (lower if (mark or "").startswith("#") else "") + (mark or "") + rest


def break_shortcodes(text):
    """Return text in which Quarto finds no shortcode, not in metadata either: a zero-width space parts its brackets."""
    return text.replace("{{<", "{\u200b{<").replace(">}}", ">\u200b}}")


def fence(text, language=""):
    """Return a code block that nothing in its text can end."""
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return f"{ticks} {language}\n{break_shortcodes(text)}\n{ticks}"


def table(frame, digits=3):
    """Return a table as Markdown to display: numbers to the right, text escaped, "–" where there is no value.

    A column of whole numbers has no decimals, another one `digits`. A cell that is a `Markdown` stays as it is.
    """
    frame = pd.DataFrame(frame)
    numeric = [pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) for kind in frame.dtypes]
    columns = [_print_column(frame.iloc[:, place], digits) for place in range(frame.shape[1])]
    rows = [[escape(name) for name in frame.columns], ["--:" if one else ":--" for one in numeric]]
    rows += zip(*columns, strict=True)
    return Markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))


def _print_column(column, digits):
    numbers = [value for value in column if isinstance(value, (int, float)) and pd.notna(value)]
    form = ".0f" if all(float(value).is_integer() for value in numbers) else f".{digits}f"
    return [_print_cell(value, form) for value in column]


def _print_cell(value, form):
    if isinstance(value, Markdown):
        return value.data
    if value is None or value != value:  # NaN
        return "–"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return format(value, form).replace("-", "−")
    return escape(value)


def figure(file, caption, alt, label=""):
    """Return a picture as Markdown; with a `label`, ``fig-…``, it is numbered (`number_labels`)."""
    number = f"**«{label}».** " if label.startswith("fig-") and caption else ""
    mark = f"#{label.replace('fig-', 'figure-', 1)} " if number else ""
    picture = f'![{number}{caption}]({file}){{alt="{escape_attribute(alt)}" loading=lazy}}'
    return scroll(picture, "Picture", mark)


def labelled_table(text, caption, label):
    """Return a table of Markdown with its caption, numbered by its label, ``tbl-…`` (`number_labels`)."""
    return scroll(f": **«{label}».** {caption}\n\n{text}", "Table", f"#{label.replace('tbl-', 'table-', 1)} ")


def scroll(content, name, mark=""):
    """Return a block of Markdown that scrolls by itself where it is wider than the screen, also by keyboard."""
    return f'::: {{{mark}.wide tabindex=0 role=group aria-label="{name}"}}\n{content}\n:::'


def number_labels(text, name):
    """Number figures and tables in their order, and link the references to them; ValueError if one leads nowhere."""
    numbers = {}
    for label in re.findall(r"«((?:fig|tbl)-[\w-]+)»", text):
        if label in numbers:
            raise ValueError(f"{name} has two figures or tables labelled {label}. Rename one.")
        kind = label[:3]
        numbers[label] = f"{KINDS[kind]} {sum(other.startswith(kind) for other in numbers) + 1}"

    def link(found):
        if found["code"]:  # is left alone
            return found[0]
        label = found["label"]
        if label not in numbers:
            raise ValueError(f"{name} refers to @{label}, but shows no figure or table with that label.")
        kind, rest = label.split("-", 1)
        return f"[{numbers[label]}](#{KINDS[kind].lower()}-{rest})"

    text = re.sub(r"«((?:fig|tbl)-[\w-]+)»", lambda found: numbers[found[1]], text)
    reference = r"(?P<code>^(?P<ticks>`{3,}).*?^(?P=ticks)$)|(?<![\w\\])@(?P<label>(?:fig|tbl)-[\w-]+)"
    return re.sub(reference, link, text, flags=re.M | re.S)
