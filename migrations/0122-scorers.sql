-- Scorers as MLflow's clients serialise them. They are kept and handed out, never run here.
create table evaluation_scorers (
  scorer_id text primary key,
  project text not null,
  experiment_id text not null,
  name text not null,
  -- numbers are never given twice
  last_version bigint not null
);
create unique index evaluation_scorers_name on evaluation_scorers (project, experiment_id, name);

create table evaluation_scorer_versions (
  scorer_id text not null references evaluation_scorers (scorer_id) on delete cascade,
  version bigint not null,
  serialized text not null,
  created_ms bigint not null,
  primary key (scorer_id, version)
);

-- How much of what traffic a scorer is to look at; one for each scorer.
create table evaluation_scorer_sampling (
  scorer_id text primary key references evaluation_scorers (scorer_id) on delete cascade,
  config_id text not null,
  sample_rate double precision not null,
  filter_string text
);
