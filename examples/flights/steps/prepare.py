"""Choose the rows: the latest months before the newest flight, the last 14 days of them for testing.

The rows come joined with the features as of each flight's scheduled hour (feature columns are
named <view>__<column>), so everything here was known before departure.
"""

import json
import os

import pandas as pd

TEST_DAYS = 14
KEY = ["flight", "time_hour"]  # with carrier and origin, below, the key of a flight
CATEGORIES = ["carrier", "origin", "dest"]
FACTS = ["sched_dep_time", "sched_arr_time", "distance"]  # as they stand in the timetable: hhmm, hhmm, miles
FEATURES = [
    "weather__temp", "weather__humid", "weather__wind_speed", "weather__precip", "weather__visib",
    "origin_delays__departures", "origin_delays__mean_delay", "origin_delays__share_late",
]  # fmt: skip
TARGET = "arr_delay"

months = json.loads(os.environ["TIDEMILL_PARAMS"])["months"]
columns = KEY + CATEGORIES + FACTS + FEATURES + [TARGET]
rows = pd.read_parquet(os.environ["TIDEMILL_INPUT_ROWS"], columns=columns)  # a file, or a folder of parts

# Whole UTC days, the newest flight's day included.
end = rows["time_hour"].max().floor("D") + pd.Timedelta(days=1)
test_from = end - pd.Timedelta(days=TEST_DAYS)
rows = rows[rows["time_hour"] >= end - pd.DateOffset(months=months)]

never_known = rows[TARGET].isna()
print(f"{never_known.sum()} of {len(rows)} flights were cancelled or diverted: their delay was never known, they are left out")
rows = rows[~never_known].sort_values(["time_hour", "origin", "carrier", "flight"])

# 32-bit floats, as the served model reads them; a feature that was not known stays missing.
rows = rows.astype({column: "float32" for column in FACTS + FEATURES})
rows = rows[columns]

for name, part in {
    "train": rows[rows["time_hour"] < test_from],
    "test": rows[rows["time_hour"] >= test_from],
}.items():
    if part.empty:
        raise SystemExit(f"no flights for {name}: the data must reach back more than {TEST_DAYS} days before {end:%Y-%m-%d}")
    part.to_parquet(os.environ[f"TIDEMILL_OUTPUT_{name.upper()}"], index=False)
    print(f"{name}: {len(part)} flights, {part['time_hour'].min()} to {part['time_hour'].max()}, {(part[TARGET] > 15).mean():.1%} late")
