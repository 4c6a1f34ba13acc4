"""Reads the GPUs once per line of standard input, through real nvidia-ml-py, and prints each reading as JSON.

A line is a JSON object: `scenario` is written to the file NVML_STUB_SCENARIO, `library`, where given, is copied to
the place the loader looks in. The process' one argument is auto or true.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from exporter.sources.collector import CollectorError
from exporter.sources.gpu import GpuCollector, load_nvml


def main() -> None:
    nvml = load_nvml()
    collector = GpuCollector(nvml, {"auto": None, "true": True}[sys.argv[1]])
    for line in sys.stdin:
        step = json.loads(line)
        Path(os.environ["NVML_STUB_SCENARIO"]).write_text(step["scenario"], encoding="ascii")
        if "library" in step:
            place = Path(os.environ["LD_LIBRARY_PATH"], "libnvidia-ml.so.1")
            place.unlink(missing_ok=True)
            shutil.copy(step["library"], place)
        try:
            tables = collector.read()
        except CollectorError as error:
            result = {"error": str(error)}
        else:
            result = {table.__name__: [vars_of(row) for row in rows] for table, rows in tables.items()}
        result["starts"] = nvml.nvmlLib.stub_starts() if nvml.nvmlLib else 0
        print(json.dumps(result), flush=True)
    collector.close()


def vars_of(row: object) -> dict[str, object]:
    return {field: getattr(row, field) for field in row.__struct_fields__}


main()
