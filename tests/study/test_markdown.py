"""Markdown: no markup that is not ours works, in whatever renderer; tables, figures and references are right."""

import html
import math
import re
from html.parser import HTMLParser

import pypandoc
import pytest
from IPython.display import Markdown

from helpers.study import markdown

NASTY = (
    "x_[y](javascript:z) <b>*1* @fig-none | {#tbl-none} {{< env HOME >}} `c` $d$ ^[e] -- https://example.org www.f.gg"
)
EVIL = """

<script>alert(1)</script> and <img src="https://example.org/x.png"> ![p](https://example.org/y.png) [l](javascript:x)

```{python}
raise SystemExit
```

`<script>alert(2)</script>`{=html} $x$ @fig-nowhere {{< include /etc/hostname >}} [x]{onclick="y"}
See https://example.org/bare or www.example.org/bare, <https://example.org/z>, [a][n], [n] and ^[a note], [^1], a&lt;b.

[n]: https://example.org/n
[^1]: A note.

---
title: Taken over
---

:::
:::

# Level one {onclick="x"}

~~~
fenced
~~~
"""


class Tags(HTMLParser):
    """The tags of a text and the attributes' names."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.keys = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.keys.update(dict(attributes))


def render(text, reader):
    return pypandoc.convert_text(text, "html", format=reader, extra_args=["--wrap=none"])


@pytest.mark.parametrize("reader", ["gfm", "commonmark_x", "markdown"])
def test_a_name_is_shown_letter_by_letter(reader):
    """In a paragraph, at the start of a line, in a cell, in a heading: nothing of it is followed."""
    name = markdown.escape(NASTY)
    table = markdown.table([{NASTY: NASTY, "n": 1}]).data
    rendered = render(f"{name}\n\n# {name}\n\n{table}", reader)
    found = Tags(rendered)
    assert not {"a", "b", "em", "code", "img", "span"} & set(found.tags) and "{{<" not in name
    words = html.unescape(re.sub(r"<[^>]*>", "", rendered)).replace("–", "--").replace("\u200b", "")
    assert words.count(NASTY) == 4, words
    for start in ("1. a", "- a", "# a", "> a", "1) a", "+ a"):
        assert Tags(render(markdown.escape(start), reader)).tags == ["p"], start


@pytest.mark.parametrize("reader", ["gfm", "commonmark_x", "markdown"])
def test_a_model_s_text_is_text(reader):
    """Headings, bold and bullets work, and nothing else of it is followed, on a page or in report.md."""
    for escape in (markdown.escape_prose, markdown.escape_prose_lightly):
        text = escape("## A report\n\nAn **accuracy**.\n\n* One." + EVIL)
        assert not re.search(r"(?<!\\)<script", text) and "{{<" not in text
        rendered = render(text, reader)
        found = Tags(rendered)
        assert not {"a", "img", "script", "math"} & set(found.tags)
        assert not {"onclick", "style"} & found.keys and "footnote" not in rendered
        assert "A report</h" in rendered and "<strong>accuracy</strong>" in rendered and "Level one " in rendered
        words = " ".join(html.unescape(re.sub(r"<[^>]*>", "", rendered)).split())
        for said in ("<script>alert(1)</script>", "[l](javascript:x)", "https://example.org/bare", "$x$"):
            assert said in words, said


def test_what_is_escaped_already_stays():
    assert markdown.escape_prose("## A\n\n- **b** \\< c < d\n---") == "### A\n\n- **b** \\< c \\< d\n\\---"
    assert markdown.escape_prose("`a-b/1.0` `{{< x >}}` `y`{=html}") == r"`a-b/1.0` \`\{\{\< x \>\}\}\` `y`\{\=html\}"


def test_a_code_block_ends_where_it_should():
    """Whatever fences are in it; and Quarto finds no shortcode."""
    block = markdown.fence("a\n````\n# b {{< env HOME >}}", "python")
    assert "{{<" not in block and "<h1" not in render(block, "markdown")


def test_an_attribute_cannot_be_left():
    alt = markdown.escape_attribute('a" onclick="b & {{< env X >}} \\')
    found = Tags(render(f'![c](d.png){{alt="{alt}"}}', "markdown"))
    assert "onclick" not in found.keys and "{{<" not in alt


def test_a_table():
    """Whole numbers without decimals, others with as many as asked; no value is a dash; Markdown of ours stays."""
    rows = [
        {"a|": "x", "n": 1.0, "v": -0.25, "w": Markdown("**b**"), "ok": True},
        {"a|": None, "n": 20.0, "v": math.nan, "w": "*c*", "ok": False},
    ]
    assert markdown.table(rows, 2).data.splitlines() == [
        r"| a\| | n | v | w | ok |",
        "| :-- | --: | --: | :-- | :-- |",
        "| x | 1 | −0.25 | **b** | True |",
        r"| – | 20 | – | \*c\* | False |",
    ]


def test_figures_and_tables_are_numbered_and_referred_to():
    """In their order, each kind by itself; not in code, and not where a name holds an escaped sign."""
    figure, table = markdown.figure("a.svg", "Cap.", "Alt.", "fig-a"), markdown.labelled_table("| x |", "Tab.", "tbl-b")
    text = markdown.number_labels(f"See @fig-a, @tbl-b, \\@fig-x.\n\n{figure}\n\n{table}\n\n```\n@fig-x\n```", "page")
    assert text.startswith("See [Figure 1](#figure-a), [Table 1](#table-b), \\@fig-x.")
    assert "![**Figure 1.** Cap.](a.svg)" in text and ": **Table 1.** Tab." in text and "\n@fig-x\n" in text
    rendered = render(text, "markdown")
    assert 'id="figure-a"' in rendered and 'alt="Alt."' in rendered and 'id="table-b"' in rendered
    with pytest.raises(ValueError, match="page refers to @fig-z, but shows no figure"):
        markdown.number_labels("@fig-z", "page")
    with pytest.raises(ValueError, match="page has two figures or tables labelled fig-a"):
        markdown.number_labels(figure + figure, "page")
