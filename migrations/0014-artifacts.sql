-- One row for each digest that anything ever held, for all projects together.
--   held       something needs it
--   loose      nothing does
--   condemned  nothing did for a day; a hold brings it back
--   removing   its bytes are being removed; no hold is taken until they are gone
create table artifacts (
  sha256 text primary key,
  size_bytes bigint not null,
  state text not null check (state in ('held', 'loose', 'condemned', 'removing')),
  project text not null,
  touched_ms bigint not null,
  condemned_ms bigint
);
create index artifacts_touched on artifacts (state, touched_ms, sha256);
create index artifacts_condemned on artifacts (state, condemned_ms, sha256);

create table artifact_holds (
  project text not null,
  sha256 text not null references artifacts (sha256),
  owner text not null,
  name text,
  created_ms bigint not null,
  expires_ms bigint,
  primary key (project, sha256, owner)
);
create index artifact_holds_sha256 on artifact_holds (sha256);
create index artifact_holds_owner on artifact_holds (project, owner, sha256);
create index artifact_holds_expires on artifact_holds (expires_ms);
