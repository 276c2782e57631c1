-- Namespaces. The project `default` is the bare root of every address and always exists.
create table projects (
  name text primary key,
  goal text,
  created_ms bigint
);
insert into projects (name, goal, created_ms) values ('default', null, null);
