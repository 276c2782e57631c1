-- A step may be one that waits for somebody (`use:`), no longer than until its deadline, or run once for each item (`foreach`).
alter table pipeline_steps drop constraint pipeline_steps_kind_check;
alter table pipeline_steps add constraint pipeline_steps_kind_check check (kind in ('command', 'join', 'register', 'use', 'foreach'));
alter table pipeline_steps add column deadline_ms bigint;
create index pipeline_steps_deadline on pipeline_steps (deadline_ms) where deadline_ms is not null;
