-- How late departures ran at each airport, one row per airport and hour of ACTUAL departure.
-- Grouping by the scheduled hour would leak: a flight scheduled at 9 that left at 13 is no news at 11.
-- A row is complete at the end of its hour; `known_after` in tidemill.yaml says when it may be used.
select
  origin,
  date_trunc('hour', departed_at) + interval 1 hour as departed_hour_end,
  count(*) as departures,
  -- Rounded, so that a value means the same in the 32 bits of the model's input.
  round(avg(date_diff('minute', scheduled_at, departed_at)), 2) as mean_delay,
  round(avg((date_diff('minute', scheduled_at, departed_at) > 15)::integer), 4) as share_late
from departures
group by all
