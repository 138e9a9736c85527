"""Imports what is slow to import, and proves that it works."""

import numpy
import pandas

print(int(pandas.Series(numpy.arange(10)).sum()))
