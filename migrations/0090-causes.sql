-- What led to work that ends in a later unit, so that the chain of causes goes on there; and the person behind it.
alter table jobs add column cause text;
alter table jobs add column cause_depth bigint;

-- how long the chain was when the run began: steps that follow one another make it no longer
alter table pipeline_runs add column cause_depth bigint;
-- null: what asked for it, trigger_by
alter table pipeline_runs add column requested_by text;

alter table rollouts add column cause text;
alter table rollouts add column cause_depth bigint;

-- who declared it last: the person behind the runs that it starts
alter table automation_triggers add column declared_by text;
