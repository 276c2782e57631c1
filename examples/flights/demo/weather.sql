-- data/weather/<day>.parquet: one file per UTC day. `weather` is data/source/weather.parquet.
select
  (time_hour at time zone 'UTC')::date as day,
  origin, time_hour, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib
from weather
order by time_hour, origin
