-- Fills an empty, migrated database with :rows tasks of two projects for the measurement beside this file:
--   psql -v ON_ERROR_STOP=1 -v rows=10000000 -f fill.sql DATABASE
-- then `fill_texts.sql`. Wants about 2.2 KB of disk for each task.
-- Records are those of one Celery task that succeeded, with other names, arguments and results of the same lengths.

SET synchronous_commit = off;
SET maintenance_work_mem = '1GB';

INSERT INTO projects (id, slug, name, created_at) VALUES
    ('00000000-0000-0000-0000-000000000001', 'large', 'large', 0),
    ('00000000-0000-0000-0000-000000000002', 'small', 'small', 0);

-- Indexes are made again at the end.
CREATE TEMP TABLE made AS
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid = 'tasks'::regclass AND NOT indisprimary;
SELECT format('DROP INDEX %s', name) FROM made \gexec
ALTER TABLE tasks DROP CONSTRAINT tasks_pkey;

CREATE OR REPLACE FUNCTION pg_temp.n(i int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT (ARRAY['shop.orders.send_receipts','shop.mail.deliver_message','billing.charge_customers','reports.build_daily_csv0','media.thumbnail_generate','search.reindex_document0','crm.sync_contact_record0','shop.cart.expire_baskets','auth.cleanup_sessions_v2','billing.invoice_rendering','ml.embed_document_chunk0','ml.score_recommendations','etl.load_partition_table','etl.vacuum_old_snapshots','notify.push_to_device_01','notify.sms_gateway_relay','geo.recompute_distances0','fraud.check_transaction0','shop.stock.reconcile_all','legacy.nightly_batch_job'])[i+1] $$;

INSERT INTO tasks (project_id, engine, task_id, state, state_at, name, queue, worker, exception, exception_message, retry_count, sent_at, received_at, started_at, finished_at, runtime_ms, wait_ms, agent_id, parent_task_id, root_task_id, created_at, first_at, sent_from, sent_until, record)
SELECT CASE WHEN i % 20 = 7 THEN '00000000-0000-0000-0000-000000000002'::uuid ELSE '00000000-0000-0000-0000-000000000001'::uuid END,
 'celery', task_id, state, at + run*1000 + 5000, name, queue, worker,
 CASE WHEN state='failure' THEN 'ValueError' END, CASE WHEN state='failure' THEN 'the order '||i||' could not be sent' END, 0,
 at-2000, at, at+5000, CASE WHEN state in ('success','failure','revoked') THEN at+run*1000+5000 END, CASE WHEN state in ('success','failure') THEN run END, 5,
 '00000000-0000-0000-0000-0000000000aa'::uuid,
 CASE WHEN i % 3 = 0 THEN 'root-'||(i/30) END, CASE WHEN i % 3 = 0 THEN 'root-'||(i/30) END, at, at-2000, at-2000, at+run*1000+5000,
 '\x0180c0f995e0a2b0060001000180897a00018092f4010000000003000080897a028092f40103018092f40118'::bytea||convert_to(name,'UTF8')||'\x018092f40106'::bytea||convert_to(queue,'UTF8')||'\x018092f4010c'::bytea||convert_to(worker,'UTF8')||'\x000001003c'::bytea||convert_to(args,'UTF8')||'\x01009601'::bytea||convert_to(kwargs,'UTF8')||'\x0000000000018092f40150'::bytea||convert_to(rpad('"'||substr(h2,1,20),79)||'"','UTF8')||'\x00000000018092f4017b'::bytea
FROM (SELECT i, 1795000000000000 + i::bigint*259000 AS at, gen_random_uuid()::text AS task_id, left(rpad(pg_temp.n(floor(20*power(random(),3))::int),24,'x'),24) AS name,
  'queue'||floor(8*power(random(),2))::int AS queue, 'celery@w-'||lpad(floor(40*random())::int::text,3,'0') AS worker, floor(exp(random()*9))::bigint AS run,
  CASE WHEN r<0.95 THEN 'success' WHEN r<0.99 THEN 'failure' WHEN r<0.993 THEN 'retry' WHEN r<0.996 THEN 'started' WHEN r<0.998 THEN 'received' ELSE 'revoked' END AS state,
  rpad('['||floor(random()*100000000)::int||', "'||h1||'", '||floor(random()*1000)::int,59)||']' AS args,
  rpad('{"order_id": '||i||', "email": "user'||floor(random()*200000)::int||'@example.com", "amount": '||floor(random()*100000)::int||', "currency": "EUR", "city": "'||(ARRAY['Berlin','Hamburg','Paris','London','Madrid','Rome','Vienna','Prague'])[1+floor(random()*8)::int]||'", "ref": "'||substr(h2,1,12)||'"',149)||'}' AS kwargs, h2
 FROM (SELECT i, random() AS r, md5(i::text||'a') AS h1, md5(i::text||'b') AS h2 FROM generate_series(1, :rows) i OFFSET 0) x OFFSET 0) y;

INSERT INTO counters (project_id, kind, name, shard, count)
SELECT project_id, kind, value, 0, count(*) FROM tasks,
    LATERAL (VALUES ('state', state), ('name', name), ('queue', queue), ('worker', worker), ('engine', engine)) AS facet (kind, value)
GROUP BY 1, 2, 3;

ALTER TABLE tasks ADD PRIMARY KEY (project_id, engine, task_id);
SELECT definition FROM made \gexec
VACUUM ANALYZE tasks;
VACUUM ANALYZE counters;
