-- data/departures/<day>.parquet: one file per UTC day of the ACTUAL departure, so that a file holds
-- what had happened by the end of its day. `flights` is data/source/flights.parquet, all rows.
-- time_hour is the scheduled hour in UTC; the scheduled instant adds the minutes of sched_dep_time (local hhmm).
-- A cancelled flight (dep_delay is null) has no departure.
select
  (departed_at at time zone 'UTC')::date as day,
  carrier, flight, origin, time_hour, scheduled_at, departed_at
from (
  select
    *,
    time_hour + to_minutes(sched_dep_time % 100) as scheduled_at,
    time_hour + to_minutes(sched_dep_time % 100 + dep_delay) as departed_at
  from flights
  where dep_delay is not null
)
order by departed_at, origin, carrier, flight, time_hour
