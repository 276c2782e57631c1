-- Files that arrive in parts. The bytes of a part are a piece in the blob store, in the group of the upload's id.
--   open       parts are taken; forgotten a day after the last one
--   completed  joined; remembered for a day, for a client that missed the answer and asks again
create table artifact_uploads (
  upload_id text primary key,
  project text not null,
  path text not null,
  part_count bigint not null,
  state text not null check (state in ('open', 'completed')),
  active_ms bigint not null
);
create index artifact_uploads_active on artifact_uploads (active_ms);

create table artifact_upload_parts (
  upload_id text not null references artifact_uploads (upload_id) on delete cascade,
  part bigint not null,
  etag text not null,
  size_bytes bigint not null,
  primary key (upload_id, part)
);

-- What URLs are signed with that let their bearer do one thing for a while; made at the first use.
create table artifact_url_keys (
  name text primary key,
  secret text not null
);
