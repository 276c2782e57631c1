create table feature_views (
  project text not null,
  name text not null,
  spec text not null,
  sql_text text,
  datasets text not null,
  generation bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);
