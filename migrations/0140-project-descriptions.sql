-- What a project is, in the words of who made it; its goal says what it is for.
alter table projects add column description text not null default '';
