-- Verify loyal:network
begin;
\ir shape.psql

select pg_temp.want_function('loyal.asker()', 'integer volatility s');
select pg_temp.want_function('loyal.asked_for()', 'smallint volatility s');
select pg_temp.want_function('loyal.asked_at()', 'timestamp with time zone volatility s');
-- Volatile: after the wait for the table's lock it must look again.
select pg_temp.want_function('loyal.epoch()', 'bigint volatility v definer {"search_path=pg_catalog, pg_temp"}');
select pg_temp.want('loyal.epoch', loyal.epoch()::text, (select epoch::text from loyal.reference_epoch));
select pg_temp.want_function('loyal.partitions_make(date,date)',
    'integer volatility v definer {"search_path=pg_catalog, pg_temp"}');

-- The first lock: the views, with a barrier, whose owner is held by row security.
select pg_temp.want_table('loyal.purchase_elsewhere',
    'bucket smallint, member_id bigint, id uuid, kind smallint, fields smallint, merchant_id integer, '
    || 'business_date integer, channel smallint, amount_minor bigint, currency text, points bigint, '
    || 'seq bigint');
select pg_temp.want_table('loyal.line_elsewhere',
    'bucket smallint, member_id bigint, entry_id uuid, number smallint, product text, category text, '
    || 'quantity_milli bigint, amount_minor bigint');
select pg_temp.want_table('loyal.member_granting',
    'place bigint, bucket smallint, member_id bigint, is_met boolean');
select pg_temp.want('views of ' || owner, (select string_agg(concat_ws(' ', c.relname, c.reloptions::text), ', '
                                                             order by c.relname)
                                           from pg_class c
                                           where c.relnamespace = 'loyal'::regnamespace and c.relkind = 'v'
                                                 and c.relowner = owner::regrole
                                                 and c.relname <> 'terminal_certificate'), wanted)
from (values
    ('loyal_network', 'line_elsewhere {security_barrier=true}, member_granting {security_barrier=true},'
     ' purchase_elsewhere {security_barrier=true}'),
    ('loyal_owner', 'disclosed_entry {security_invoker=true}, entry_leg {security_invoker=true},'
     ' standing {security_invoker=true}')
    ) as views (owner, wanted);

-- The second lock: row security on what the views read, and nobody who passes by it but the tables' owner.
select pg_temp.want('row security', string_agg(c.relname, ' ' order by c.relname), 'basket_line consent disclosure entry')
from pg_class c
where c.relnamespace = 'loyal'::regnamespace and c.relrowsecurity;
select pg_temp.want('policies of ' || tablename,
    string_agg(concat_ws(' ', policyname, permissive, cmd, 'to', roles::text), E'\n' order by policyname),
    case tablename when 'disclosure'
         then E'others PERMISSIVE ALL to {loyal_auditor,loyal_daemon,loyal_eraser}\n'
              || 'shown PERMISSIVE INSERT to {loyal_reader}'
         when 'consent'
         then E'network PERMISSIVE SELECT to {loyal_network}\nothers PERMISSIVE ALL to {loyal_auditor,loyal_daemon}'
         else E'network PERMISSIVE SELECT to {loyal_network}\n'
              || 'others PERMISSIVE ALL to {loyal_auditor,loyal_daemon,loyal_eraser}' end)
from (select tablename, policyname, permissive, cmd, array(select r from unnest(roles) r order by r) as roles
      from pg_policies
      where schemaname = 'loyal') p
group by tablename;
select pg_temp.want('policies', string_agg(tablename || '.' || policyname, ' ' order by tablename, policyname),
    'basket_line.network basket_line.others consent.network consent.others disclosure.others'
    ' disclosure.shown entry.network entry.others')
from pg_policies
where schemaname = 'loyal';
select pg_temp.want('bypass of row security', string_agg(rolname, ' '), null)
from pg_roles
where rolname like 'loyal\_%' and (rolbypassrls or rolsuper);
select pg_temp.want('loyal_network creates nothing', has_schema_privilege('loyal_network', 'loyal', 'create')::text,
    'false');

select pg_temp.want_table('loyal.disclosure',
    'bucket smallint not null, member_id bigint not null, page_id uuid not null, disclosed_at timestamp '
    || 'with time zone not null, merchant_id integer not null, terminal_id integer not null, operator_id '
    || 'integer not null, verb smallint not null, purpose smallint not null, reason text not null, entries '
    || E'uuid[] not null, fields smallint[] not null\n'
    || E'CHECK ((cardinality(entries) = cardinality(fields)))\n'
    || E'PRIMARY KEY (bucket, member_id, page_id)\n'
    || 'partition by RANGE (page_id)');
select pg_temp.want_table('loyal.disclosed_entry',
    'bucket smallint, member_id bigint, page_id uuid, disclosed_at timestamp with time zone, merchant_id '
    || 'integer, terminal_id integer, operator_id integer, verb smallint, purpose smallint, entry_id uuid, '
    || 'fields smallint');

rollback;
