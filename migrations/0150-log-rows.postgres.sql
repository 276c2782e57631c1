-- In a serializable transaction the check of a foreign key reads a page of the index of runs, and so conflicts with every
-- run that is created in that page meanwhile. What a log call writes therefore has no foreign key: tracking looks the run
-- up first, and a purge removes these rows itself (purge-rows-store.ts).
alter table tracking_latest_metrics drop constraint tracking_latest_metrics_run_id_fkey;
alter table tracking_params drop constraint tracking_params_run_id_fkey;
alter table tracking_run_tags drop constraint tracking_run_tags_run_id_fkey;
alter table tracking_metric_batches drop constraint tracking_metric_batches_run_id_fkey;
