-- Webhooks of other formats than ours: MLflow's names its own events, has a name, and may go unsigned.
alter table automation_webhooks add column format text not null default 'tidemill';
alter table automation_webhooks add column name text not null default '';
alter table automation_webhooks add column description text not null default '';
-- 1 when there is a secret to sign with
alter table automation_webhooks add column signed smallint not null default 1 check (signed in (0, 1));
alter table automation_webhooks add column updated_ms bigint not null default 0;
update automation_webhooks set updated_ms = created_ms;
