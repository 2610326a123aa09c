-- What migrations cannot make for themselves: roles, the schema and its owner. Run with psql by a superuser, connected
-- to the database of the network, once or again: psql -X -d DATABASE -f migrations/bootstrap.sql
-- Roles belong to the whole cluster and have no password here: how they log in is pg_hba.conf's business.
\set ON_ERROR_STOP on
\set QUIET on
begin;
set local client_min_messages = warning;

do $$
begin
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the database must be UTF8: the journal''s hashes cover UTF-8 bytes';
    end if;
end
$$;

select format('create role %I', name)
from unnest(array['loyal_owner', 'loyal_daemon', 'loyal_maintenance', 'loyal_reader', 'loyal_insight',
                  'loyal_auditor', 'loyal_eraser', 'loyal_network']) as name
where not exists (select from pg_roles where rolname = name)
\gexec

alter role loyal_owner nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
-- Owns the views of network queries, so that row security holds for them; nobody logs in as it.
alter role loyal_network nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
alter role loyal_daemon login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
alter role loyal_maintenance login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
alter role loyal_reader login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
alter role loyal_insight login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
alter role loyal_auditor login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
alter role loyal_eraser login nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit;
grant loyal_owner to loyal_maintenance;
grant loyal_network to loyal_owner;

-- What they send and read are purchases of people: it never stands in the server's log, whatever that is set to log.
select format('alter role %I set log_parameter_max_length = 0', name),
       format('alter role %I set log_parameter_max_length_on_error = 0', name),
       format('alter role %I set log_error_verbosity = terse', name)
from unnest(array['loyal_daemon', 'loyal_maintenance', 'loyal_reader', 'loyal_insight', 'loyal_auditor',
                  'loyal_eraser']) as name
\gexec

-- The owner creates the registry of migrations, and their verification uses temporary functions.
select format('revoke all on database %I from public', current_database()),
       format('grant create, temporary on database %I to loyal_owner', current_database()),
       format('grant connect on database %I to loyal_daemon, loyal_maintenance, loyal_reader, loyal_insight,'
              ' loyal_auditor, loyal_eraser', current_database())
\gexec

revoke create on schema public from public;
create schema if not exists loyal;
alter schema loyal owner to loyal_owner;
revoke all on schema loyal from public;

commit;
