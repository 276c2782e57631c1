-- Graphs of models as they were declared; their versions are those of the model of their name.
create table graphs (
  project text not null,
  name text not null,
  -- JSON of a GraphSpec
  spec text not null,
  generation bigint not null,
  -- pending: to be looked at; made; waiting: for a model; refused: what it names does not fit together
  state text not null,
  reason text,
  version bigint,
  -- JSON list of references: the versions in it
  members text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);
create index graphs_pending on graphs (updated_ms, project, name) where state = 'pending';
