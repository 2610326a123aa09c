-- Verify loyal:privileges
begin;
\ir shape.psql
-- `rights` verifies what is in force once it has been deployed.
select pg_temp.has('standing') as is_replaced \gset
\if :is_replaced
rollback;
\quit
\endif

select pg_temp.want(relation || ' for ' || role, pg_temp.rights(role, 'loyal.' || relation), wanted)
from (values
    ('loyal_daemon', 'schema_version', '+select'),
    ('loyal_daemon', 'reference_epoch', '+select update(epoch)'),
    ('loyal_daemon', 'merchant', '+insert +select'),
    ('loyal_daemon', 'store', '+insert +select'),
    ('loyal_daemon', 'terminal', '+insert +select'),
    ('loyal_daemon', 'operator', '+select'),
    ('loyal_daemon', 'rule', '+insert +select'),
    ('loyal_daemon', 'member',
     '+insert +select update(available,debt,seq,chain,decided_at,next_change_at)'),
    ('loyal_daemon', 'identifier', '+insert +select'),
    ('loyal_daemon', 'lot', '+delete +insert +select update(points)'),
    ('loyal_daemon', 'debt', '+delete +insert +select update(points)'),
    ('loyal_daemon', 'entry', '+insert +select'),
    ('loyal_daemon', 'basket_line', '+insert +select'),
    ('loyal_daemon', 'refusal', '+insert +select'),
    ('loyal_daemon', 'lease', ''),
    ('loyal_daemon', 'entry_leg', '+select'),
    ('loyal_eraser', 'entry', 'select(bucket,member_id,id) update(salt,store_id,terminal_id,channel,'
     'till,receipt,part,business_date,occurred_at,amount_minor,paid_in_points_minor,currency)'),
    ('loyal_eraser', 'basket_line',
     'select(bucket,member_id,entry_id,number) update(product,category,quantity_milli,amount_minor)')
    ) as daemon_and_eraser (role, relation, wanted);

select pg_temp.want(relation || ' for ' || role, pg_temp.rights(role, 'loyal.' || relation),
                    case role when 'loyal_auditor' then '+select' else '' end)
from unnest(array['schema_version', 'reference_epoch', 'merchant', 'store', 'terminal', 'operator', 'rule',
                  'member', 'identifier', 'lot', 'debt', 'entry', 'basket_line', 'refusal', 'lease',
                  'entry_leg']) as relation,
     unnest(array['loyal_auditor', 'loyal_reader', 'loyal_insight', 'loyal_maintenance',
                  'loyal_eraser']) as role
where not (role = 'loyal_eraser' and relation in ('entry', 'basket_line'));

-- Nobody but the owner reaches a partition, and PUBLIC reaches nothing.
select pg_temp.want('rights on ' || c.relname, string_agg(a.grantee::regrole::text || ' ' || a.privilege_type, ','),
                    null)
from pg_class c, aclexplode(c.relacl) a
where c.relnamespace = 'loyal'::regnamespace and a.grantee <> c.relowner
      and (c.relispartition or a.grantee = 0)
group by c.relname;

select pg_temp.want('owner of ' || relname, relowner::regrole::text, 'loyal_owner')
from pg_class
where relnamespace = 'loyal'::regnamespace;

-- Roles that may execute each function, beside the owner.
select pg_temp.want(name, (select string_agg(case grantee when 0 then 'public' else grantee::regrole::text end, ' '
                                             order by grantee::regrole::text)
                           from pg_proc p, aclexplode(p.proacl) a
                           where p.oid = ('loyal.' || name)::regprocedure and a.grantee <> p.proowner), wanted)
from (values
    ('uuid_at(timestamptz)', 'loyal_auditor loyal_daemon'),
    ('partitions_make(date, date)', 'loyal_maintenance'),
    ('refusals_drop(timestamptz)', 'loyal_maintenance'),
    ('txt(text)', 'loyal_auditor loyal_daemon'),
    ('chain_of(bytea, loyal.entry)', 'loyal_auditor loyal_daemon'),
    ('line_bytes(loyal.basket_line)', 'loyal_auditor loyal_daemon'),
    ('lines_bytes(smallint, bigint, uuid)', 'loyal_auditor loyal_daemon'),
    ('facts_hash_of(loyal.entry, bytea)', 'loyal_auditor loyal_daemon'),
    ('facts_hash_of(loyal.entry)', 'loyal_auditor loyal_daemon'),
    ('leg_instant(bigint)', 'loyal_auditor loyal_daemon'),
    ('leg_uuid(bigint, bigint)', 'loyal_auditor loyal_daemon'),
    ('issuer_sums(integer, integer, timestamptz)', 'loyal_auditor loyal_daemon'),
    ('findings(integer, integer, timestamptz, integer)', 'loyal_auditor loyal_daemon'),
    ('owed_points()', 'loyal_auditor loyal_daemon'),
    ('receipts_twice(integer, integer)', 'loyal_auditor loyal_daemon'),
    ('state_hash()', 'loyal_auditor loyal_daemon')
    ) as functions (name, wanted);

-- A null proacl means PUBLIC may execute it.
select pg_temp.want('public functions', string_agg(proname, ' '), null)
from pg_proc p
where pronamespace = 'loyal'::regnamespace
      and (proacl is null or exists (select from aclexplode(proacl) a where a.grantee = 0));

select pg_temp.want(role || ' on schema loyal', has_schema_privilege(role, 'loyal', 'usage')::text || ' '
                    || has_schema_privilege(role, 'loyal', 'create')::text,
                    case role when 'loyal_maintenance' then 'true true' else 'true false' end)
from unnest(array['loyal_daemon', 'loyal_maintenance', 'loyal_reader', 'loyal_insight', 'loyal_auditor',
                  'loyal_eraser']) as role;

rollback;
