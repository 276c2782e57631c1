-- AES-256-GCM. key_id names the key file's key, so that a wrong one is told apart from damage.
create table secrets (
  project text not null,
  name text not null,
  key_id text not null,
  nonce text not null,
  ciphertext text not null,
  tag text not null,
  grants text not null,
  created_ms bigint not null,
  updated_ms bigint not null,
  primary key (project, name)
);
