"""Says why the runs of a scan are not known: what W&B counts and what it shows do not agree."""

from runmetrics.collectors.wandb.unknown import INDEX_LAGS, Disagreement, Unknown
from runmetrics.text import counted

_IF_IT_STAYS = "the next collection tries again; if it stays, ask support@wandb.com"

RESUMED = Disagreement(
    "a run moved that had been taken for settled while others were read, twice",
    "the next collection tries again",
)
ENDLESS = Unknown("W&B sends the same page of runs again and again", _IF_IT_STAYS)
EMPTY_PAGE = Unknown("W&B sends an empty page of runs and says that more follow", _IF_IT_STAYS)


def rows_without_run(after: int) -> Disagreement:
    """Say that there are more rows than runs, though as many runs are shown as counted."""
    return Disagreement(
        f"W&B counts {counted(after, 'run')}, shows as many, and has rows without a run "
        "beside them, twice",
        INDEX_LAGS,
    )


def disagreement(before: int, after: int, shown: int, *, steady: bool) -> Disagreement:
    """Say how the counts before and after differ from what was shown; `steady`: by nothing else."""
    if steady and not shown:
        return Disagreement(
            f"W&B counts {counted(after, 'run')} and shows none, twice",
            "see which runs this key may read in W&B",
        )
    if shown == after:
        return Disagreement(
            f"runs came and went while {counted(after, 'run')} were read, twice",
            "the next collection tries again",
        )
    return Disagreement(
        f"W&B counts {before} runs before and {after} after, but {shown} could be read, twice",
        INDEX_LAGS,
    )
