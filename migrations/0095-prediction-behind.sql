-- Since when more has been written than was taken, as reports and deliveries say; null while all is taken.
alter table prediction_spools add column behind_since_ms bigint;
