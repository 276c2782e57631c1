-- Who may do what. A token is kept as its SHA-256 alone.
create table users (
  name text primary key,
  created_ms bigint not null,
  disabled_ms bigint
);
-- project '*' is all of them.
create table user_roles (
  user_name text not null references users (name),
  project text not null,
  role text not null check (role in ('viewer', 'editor', 'approver', 'admin')),
  primary key (user_name, project)
);
-- project null is all of them; role null on a user's token leaves that user's own roles.
create table tokens (
  id text primary key,
  digest text not null unique,
  kind text not null check (kind in ('user', 'step', 'replica')),
  name text not null,
  user_name text references users (name),
  project text,
  role text check (role in ('viewer', 'editor', 'approver', 'admin')),
  attempt text,
  pool text,
  issued_by text not null,
  created_ms bigint not null,
  expires_ms bigint,
  revoked_ms bigint
);
create index tokens_user on tokens (user_name);
create index tokens_project on tokens (project, id);
create index tokens_kind on tokens (kind, id);
