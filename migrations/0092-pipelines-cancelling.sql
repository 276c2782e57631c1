-- A run that was cancelled stays `running` until its processes are gone and the steps that always run have ended.
alter table pipeline_runs add column cancelling smallint not null default 0 check (cancelling in (0, 1));
