-- For whoever decides: what a request is about, in words, and the message of whoever asks.
alter table approvals add column about text;
alter table approvals add column message text;
