"""What the notebooks share: tested functions, one noun a module, imports pointing one way."""

import sys

# nbformat brings jsonschema, which would compile a grammar of web addresses at each start: more than a second,
# for a check of formats that nobody asks for. It does without where the package that has the grammar is not to be had.
sys.modules.setdefault("rfc3987_syntax", None)
