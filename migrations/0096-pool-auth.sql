-- Whether the server asked for tokens when it last told the pool; null before this was kept: it is told once more.
alter table deployment_pools add column auth text check (auth in ('open', 'required'));
