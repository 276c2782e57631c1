create index evaluations_promotion on evaluations (project, promotion_id, id);
