create table approvals (
  id text primary key,
  project text not null,
  subject text not null,
  policy text not null,
  state text not null check (state in ('pending', 'granted', 'refused', 'withdrawn')),
  requested_by text not null,
  requested_ms bigint not null,
  decided_by text,
  decided_ms bigint,
  reason text
);
create unique index approvals_pending on approvals (project, subject, policy) where state = 'pending';
create index approvals_project on approvals (project, id);
create index approvals_state on approvals (project, state, id);
create index approvals_subject on approvals (project, subject, id);

-- A policy without a row asks for a second person.
create table approval_policies (
  project text not null,
  name text not null,
  self_approval smallint not null check (self_approval in (0, 1)),
  primary key (project, name)
);
