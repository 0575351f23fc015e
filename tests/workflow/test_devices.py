"""Two devices, two jobs, never two on one: a real run on pretended devices."""

import itertools
import json
from datetime import datetime


def test_two_jobs_run_on_two_devices(fresh, finished, tmp_path):
    fresh.run(
        "--cores", "4", "--resources", "gpu=2",
        RETHINK_FAKE_DEVICES="a,b", RETHINK_LOCKS=str(tmp_path / "locks"),
    )  # fmt: skip
    cells = [json.loads(p.read_text()) for p in fresh.results.glob("cells/**/run.json")]
    assert {cell["device"]["id"] for cell in cells} == {"a", "b"}
    for one, other in itertools.combinations(cells, 2):
        times = [
            tuple(datetime.fromisoformat(cell[key]) for key in ("started", "finished"))
            for cell in (one, other)
        ]
        if times[0][0] < times[1][1] and times[1][0] < times[0][1]:
            assert one["device"]["id"] != other["device"]["id"]
    for path in finished.results.glob("cells/**/curves.csv"):
        twin = fresh.results / path.relative_to(finished.results)
        assert twin.read_bytes() == path.read_bytes()
