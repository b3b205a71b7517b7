"""The python runtime's entry: `python3 -I -S -B -X utf8 bootstrap.py`, with the agent on fd 3 (protocol/FUNCTION.md).

A script is compiled at every start, an imported module once, so this file only imports the rest (5 ms saved
where `../prepare` has compiled it).
"""

import sys

# -I keeps the script's directory off sys.path, and user code must not find these modules by accident.
sys.path.insert(0, __file__.rpartition("/")[0])
import hearth_worker

del sys.path[0]
hearth_worker.main()
