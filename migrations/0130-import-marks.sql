-- what an importer has read of a run or logged model that is wholly here, so that the next import passes it by
create table tracking_import_marks (
  project text not null,
  -- of the run or logged model
  id text not null,
  -- digest of what the source said of it
  print text not null,
  points bigint not null,
  files bigint not null,
  file_bytes bigint not null,
  files_digest text not null,
  marked_ms bigint not null,
  primary key (project, id)
);
