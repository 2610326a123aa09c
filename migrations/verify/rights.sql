-- Verify loyal:rights
begin;
\ir shape.psql

-- Every right of every role on every relation that is not a partition; what is not listed is nobody's but the owner's.
create temp table wanted (role text, relation text, rights text) on commit drop;
insert into wanted values
    -- The daemon posts, answers, records grants, standings and what operators were shown; it ends grants, no more.
    ('loyal_daemon', 'schema_version', '+select'),
    ('loyal_daemon', 'reference_epoch', '+select +update update(epoch)'),
    ('loyal_daemon', 'merchant', '+insert +select'),
    ('loyal_daemon', 'store', '+insert +select'),
    ('loyal_daemon', 'terminal', '+insert +select'),
    ('loyal_daemon', 'operator', '+select'),
    ('loyal_daemon', 'rule', '+insert +select'),
    ('loyal_daemon', 'member',
     '+insert +select update(available,debt,seq,chain,decided_at,next_change_at,status)'),
    ('loyal_daemon', 'identifier', '+insert +select'),
    ('loyal_daemon', 'lot', '+delete +insert +select update(points)'),
    ('loyal_daemon', 'debt', '+delete +insert +select update(points)'),
    ('loyal_daemon', 'entry', '+insert +select'),
    ('loyal_daemon', 'entry_leg', '+select'),
    ('loyal_daemon', 'basket_line', '+insert +select'),
    ('loyal_daemon', 'refusal', '+insert +select'),
    ('loyal_daemon', 'standing_change', '+insert +select'),
    ('loyal_daemon', 'standing', '+select'),
    ('loyal_daemon', 'member_standing_change', '+insert +select'),
    ('loyal_daemon', 'consent', '+insert +select update(ended_at,end_kind,end_terminal_id,end_operator_id)'),
    ('loyal_daemon', 'disclosure', '+insert +select'),
    ('loyal_daemon', 'erasure', '+select'),
    -- The reader sees the views, and writes a record that it cannot read.
    ('loyal_reader', 'schema_version', '+select'),
    ('loyal_reader', 'purchase_elsewhere', '+select'),
    ('loyal_reader', 'line_elsewhere', '+select'),
    ('loyal_reader', 'member_granting', '+select'),
    ('loyal_reader', 'disclosure', '+insert'),
    -- The views' owner reads what they show.
    ('loyal_network', 'entry', '+select'),
    ('loyal_network', 'basket_line', '+select'),
    ('loyal_network', 'consent', '+select'),
    ('loyal_network', 'merchant', 'select(merchant_id,currency)'),
    -- The eraser finds rows by key and blanks.
    ('loyal_eraser', 'schema_version', '+select'),
    ('loyal_eraser', 'reference_epoch', '+select'),
    ('loyal_eraser', 'entry', 'select(bucket,member_id,id) update(salt,store_id,terminal_id,channel,'
     'till,receipt,part,business_date,occurred_at,amount_minor,paid_in_points_minor,currency)'),
    ('loyal_eraser', 'basket_line',
     'select(bucket,member_id,entry_id,number) update(product,category,quantity_milli,amount_minor)'),
    ('loyal_eraser', 'refusal',
     'select(bucket,member_id,key,merchant_id) update(store_id,terminal_id,occurred_at,amount_minor,points)'),
    ('loyal_eraser', 'identifier', '+delete select(bucket,member_id)'),
    ('loyal_eraser', 'disclosure', 'select(bucket,member_id,page_id) update(reason)'),
    ('loyal_eraser', 'member_standing_change', 'select(bucket,member_id,number) update(reason)'),
    ('loyal_eraser', 'erasure', '+insert +select');
insert into wanted
select * from (values
    ('loyal_daemon', 'certificate_change', '+insert +select'),
    ('loyal_daemon', 'terminal_certificate', '+select')) later
where pg_temp.has('certificates');
-- The auditor reads everything that is stored; what the views make of it shows nobody to him, who asks for no merchant.
insert into wanted
select 'loyal_auditor', c.relname, '+select'
from pg_class c
where c.relnamespace = 'loyal'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
      and c.relname not in ('purchase_elsewhere', 'line_elsewhere', 'member_granting');

select pg_temp.want(c.relname || ' for ' || r.rolname, pg_temp.rights(r.rolname, c.oid::regclass::text),
                    coalesce(w.rights, ''))
from pg_class c
     cross join pg_roles r
     left join wanted w on w.role = r.rolname and w.relation = c.relname
where c.relnamespace = 'loyal'::regnamespace and c.relkind not in ('i', 'I') and not c.relispartition
      and r.oid <> c.relowner;
select pg_temp.want('relations with rights', string_agg(distinct w.relation, ' '), null)
from wanted w
where to_regclass('loyal.' || w.relation) is null;

-- Nobody but the owner reaches a partition, and PUBLIC reaches nothing, of no relation and no column.
select pg_temp.want('rights on ' || c.relname, string_agg(a.grantee::regrole::text || ' ' || a.privilege_type, ','),
                    null)
from pg_class c, aclexplode(c.relacl) a
where c.relnamespace = 'loyal'::regnamespace and a.grantee <> c.relowner
      and (c.relispartition or a.grantee = 0)
group by c.relname;
select pg_temp.want('rights on columns of ' || c.relname, string_agg(k.attname, ','), null)
from pg_class c join pg_attribute k on k.attrelid = c.oid, aclexplode(k.attacl) a
where c.relnamespace = 'loyal'::regnamespace and (c.relispartition or a.grantee = 0)
group by c.relname;
select pg_temp.want('rights to give rights of ' || c.relname, string_agg(distinct a.grantee::regrole::text, ','), null)
from pg_class c, aclexplode(c.relacl) a
where c.relnamespace = 'loyal'::regnamespace and a.grantee <> c.relowner and a.is_grantable
group by c.relname;

select pg_temp.want('owner of ' || relname, relowner::regrole::text,
                    case when relname in ('purchase_elsewhere', 'line_elsewhere', 'member_granting')
                    then 'loyal_network' else 'loyal_owner' end)
from pg_class
where relnamespace = 'loyal'::regnamespace;
select pg_temp.want('owner of ' || proname, proowner::regrole::text, 'loyal_owner')
from pg_proc
where pronamespace = 'loyal'::regnamespace;

-- Roles that may execute each function, beside the owner.
select pg_temp.want(p.oid::regprocedure::text,
                    (select string_agg(case grantee when 0 then 'public' else grantee::regrole::text end, ' '
                                       order by grantee::regrole::text)
                     from aclexplode(p.proacl) a
                     where a.grantee <> p.proowner), wanted)
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
    ('state_hash()', 'loyal_auditor loyal_daemon'),
    ('member_rows(smallint, bigint)', 'loyal_auditor loyal_daemon'),
    ('asker()', 'loyal_network loyal_reader'),
    ('asked_for()', 'loyal_network loyal_reader'),
    ('asked_at()', 'loyal_network loyal_reader'),
    ('epoch()', 'loyal_reader'),
    ('count_members(integer[], text[], integer, integer, bigint, bigint, text, smallint[], integer, integer)',
     'loyal_reader'),
    ('told(bigint, integer)', null),
    ('told_above(bigint, integer, integer)', null)
    ) as functions (name, wanted)
     full join pg_proc p on p.oid = ('loyal.' || name)::regprocedure
where p.pronamespace = 'loyal'::regnamespace or p.oid is null;

-- A null proacl means PUBLIC may execute it.
select pg_temp.want('public functions', string_agg(proname, ' '), null)
from pg_proc p
where pronamespace = 'loyal'::regnamespace
      and (proacl is null or exists (select from aclexplode(proacl) a where a.grantee = 0));

select pg_temp.want(role || ' on schema loyal', has_schema_privilege(role, 'loyal', 'usage')::text || ' '
                    || has_schema_privilege(role, 'loyal', 'create')::text,
                    case role when 'loyal_maintenance' then 'true true' else 'true false' end)
from unnest(array['loyal_daemon', 'loyal_maintenance', 'loyal_reader', 'loyal_insight', 'loyal_auditor',
                  'loyal_eraser', 'loyal_network']) as role;

select pg_temp.want('members of loyal_network', string_agg(m.member::regrole::text, ' '), 'loyal_owner')
from pg_auth_members m
where m.roleid = 'loyal_network'::regrole;

-- The views run; who asks is nobody.
select set_config('loyal.asker', '0', true), set_config('loyal.purpose', '0', true),
       set_config('loyal.at', '2000-01-01 00:00:00+00', true);
select count(*) from loyal.purchase_elsewhere where bucket = -1;
select count(*) from loyal.line_elsewhere where bucket = -1;
select count(*) from loyal.member_granting where bucket = -1;

rollback;
