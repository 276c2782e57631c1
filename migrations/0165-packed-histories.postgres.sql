-- To unpack what is compressed would cost several times what reading it does.
alter table tracking_packed_histories alter column points set storage external;
