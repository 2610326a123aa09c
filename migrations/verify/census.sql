-- Verify loyal:census
begin;
\ir shape.psql

select pg_temp.want_table('loyal.privacy_rule',
    'rule_version integer not null, valid_from timestamp with time zone not null, k integer not null, '
    || E'questions_a_day integer not null, release_days integer not null\n'
    || E'CHECK ((k >= 5))\n'
    || E'CHECK ((questions_a_day >= 0))\n'
    || E'CHECK ((release_days > 0))\n'
    || E'CHECK ((rule_version > 0))\n'
    || 'PRIMARY KEY (rule_version)');
select pg_temp.want_table('loyal.question_budget',
    E'merchant_id integer not null, day integer not null, used integer not null\n'
    || 'PRIMARY KEY (merchant_id, day)');
select pg_temp.want_table('loyal.release',
    'merchant_id integer not null, question bytea not null, counted_at timestamp with time zone not null, '
    || 'rule_version integer not null, k integer not null, with_grant bigint, without_grant bigint'
    || E'\n'
    || 'PRIMARY KEY (merchant_id, question, counted_at)');
select pg_temp.want_function('loyal.told(bigint,integer)', 'bigint volatility i');
select pg_temp.want_function('loyal.told_above(bigint,integer,integer)', 'bigint volatility i');
select pg_temp.want_function('loyal.count_members(integer[],text[],integer,integer,bigint,bigint,text,smallint[],'
    || 'integer,integer)',
    'TABLE(with_grant bigint, without_grant bigint, k integer, counted_at timestamp with time zone,'
    || ' released_before boolean, questions_left integer) volatility v definer'
    || ' {"search_path=pg_catalog, pg_temp",enable_seqscan=off,plan_cache_mode=force_custom_plan,work_mem=64MB,jit=off}');
select pg_temp.want('loyal.told', string_agg(coalesce(loyal.told(n, 20)::text, '-'), ' ' order by n),
    '- - 20 20 20 25 25 25')
from unnest(array[0, 19, 20, 21, 22, 23, 24, 25]) n;
-- A rule is in force at any time.
select 1 / count(*) from loyal.privacy_rule where valid_from = '-infinity';

rollback;
