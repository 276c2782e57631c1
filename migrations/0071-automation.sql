create table automation_triggers (
  project text not null,
  name text not null,
  spec text not null,
  -- what it listens to, alert:late-arrival/performance; null for cron
  on_reference text,
  -- when cron fires next
  next_fire_ms bigint,
  generation bigint not null,
  declared_ms bigint not null,
  primary key (project, name)
);
create index automation_triggers_on on automation_triggers (project, on_reference);
create index automation_triggers_next on automation_triggers (next_fire_ms);

-- One row for each cause that reached a trigger: at most once is the unique index.
create table automation_firings (
  id text primary key,
  project text not null,
  trigger_name text not null,
  -- id of the event, cron:<instant>, hand:<request id>
  cause text not null,
  cause_subject text not null,
  state text not null check (state in ('fired', 'suppressed', 'failed')),
  -- 1 when its cool-down counts from it
  cools smallint not null check (cools in (0, 1)),
  run_id text,
  reason text,
  -- on the clock of the cause: event time in a replay
  clock_ms bigint not null,
  at_ms bigint not null
);
create unique index automation_firings_cause on automation_firings (project, trigger_name, cause);
create index automation_firings_trigger on automation_firings (project, trigger_name, id);
create index automation_firings_project on automation_firings (project, id);

create table automation_webhooks (
  id text primary key,
  project text not null,
  url text not null,
  types text not null,
  enabled smallint not null check (enabled in (0, 1)),
  created_ms bigint not null
);
create index automation_webhooks_project on automation_webhooks (project, id);

-- What is to be sent and what was: an outbox and its log in one.
create table automation_deliveries (
  id text primary key,
  project text not null,
  webhook_id text not null references automation_webhooks (id) on delete cascade,
  event_id text not null,
  event_type text not null,
  subject text not null,
  body text not null,
  state text not null check (state in ('pending', 'delivered', 'failed')),
  attempts bigint not null,
  -- null when it is not tried any more
  next_attempt_ms bigint,
  status bigint,
  error text,
  created_ms bigint not null,
  ended_ms bigint
);
create unique index automation_deliveries_event on automation_deliveries (webhook_id, event_id);
create index automation_deliveries_due on automation_deliveries (next_attempt_ms, id);
create index automation_deliveries_webhook on automation_deliveries (webhook_id, id);
create index automation_deliveries_created on automation_deliveries (created_ms);
