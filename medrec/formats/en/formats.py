"""Formats of typed days, in every form and in the admin.

As our pages show days, and as most people write them. With strokes nobody knows which number is the month.
"""

DATE_INPUT_FORMATS = ["%Y-%m-%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d.%m.%Y"]
