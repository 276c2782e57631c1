-- tracking: a purge that cannot go on waits, each time for longer, and lets the others pass.

alter table tracking_purges add column attempts bigint not null default 0;
-- why the last attempt failed
alter table tracking_purges add column failure text;
alter table tracking_purges add column next_attempt_ms bigint not null default 0;
drop index tracking_purges_open;
create index tracking_purges_open on tracking_purges (next_attempt_ms, purge_id) where state = 'open';
