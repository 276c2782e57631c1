-- data/flights/<day>.parquet: one file per UTC day of time_hour. `flights` is data/source/flights.parquet.
-- Only what the timetable says, and arr_delay. Left out, for they leak: dep_time, dep_delay, arr_time, air_time.
-- $share of the rows ($seed chooses which), by a digest of the key: the same rows on every machine.
select
  (time_hour at time zone 'UTC')::date as day,
  carrier, flight, origin, dest, tailnum, time_hour, sched_dep_time, sched_arr_time, distance, arr_delay
from flights
where ('0x' || left(md5(concat_ws('|', $seed, carrier, flight, origin, epoch_ms(time_hour))), 8))::bigint < $share * 4294967296
order by time_hour, origin, carrier, flight
