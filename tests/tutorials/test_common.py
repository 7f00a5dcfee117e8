"""What every chapter starts with."""

import json
import os
import subprocess
import sys

from tutorials import build


def test_matrix_products_take_one_thread_in_a_chapter():
    """However many BLAS would take: chapters call networks outside of the trainer."""
    script = (
        "import common, json; from threadpoolctl import threadpool_info; "
        "import numpy as np; np.ones((300, 300)) @ np.ones((300, 300)); "
        "print(json.dumps(threadpool_info()))"
    )
    unset = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    printed = subprocess.check_output(
        [sys.executable, "-c", script],
        cwd=build.HERE,
        env=environment | {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "2"},
    )
    found = [pool for pool in json.loads(printed) if pool["user_api"] == "blas"]
    assert found and all(pool["num_threads"] == 1 for pool in found)
