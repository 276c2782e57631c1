-- A step may be one that waits for somebody (`use:`), and no longer than until its deadline.
alter table pipeline_steps drop constraint pipeline_steps_kind_check;
alter table pipeline_steps add constraint pipeline_steps_kind_check check (kind in ('command', 'join', 'register', 'use'));
alter table pipeline_steps add column deadline_ms bigint;
create index pipeline_steps_deadline on pipeline_steps (deadline_ms) where deadline_ms is not null;
