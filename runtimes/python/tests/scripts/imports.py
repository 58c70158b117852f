"""Sibling modules, packages, vendored packages, modules of the library that a sibling shadows."""
import json

import colorsys
import greeting
import helper
import shapes
import scripts.helper
from data import __path__ as data_path

print(json.dumps([helper.NAME, round(shapes.area(1), 3), greeting.hello("you"), colorsys.WHO,
                  scripts.helper.NAME, list(data_path)]))
