"""What the cells that have no final record will take."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench import cost
from bench.cell import Cell
from reports.evidence import Evidence


@dataclass(frozen=True)
class Prices:
    """An estimate for each cell without a final record, on the device that most of the records come from."""

    device: str  # cpu or cuda
    estimates: Mapping[Cell, cost.Estimate]

    def seconds(self, cell: Cell) -> float:
        """What running ``cell`` will take; 0 for a cell that need not be run."""
        found = self.estimates.get(cell)
        return 0.0 if found is None else found.seconds


def prices(evidence: Evidence) -> Prices:
    """The prices of what is left to run; on a GPU where nothing has been run yet."""
    records = [record for seeds in evidence.records.values() for record in seeds.values()]
    kinds = Counter(record.environment.device.partition(":")[0] for record in records).most_common(1)
    device = kinds[0][0] if kinds else "cuda"
    return Prices(device, cost.estimates(evidence.unfinished(), evidence.profile, records, device))
