-- Revert loyal:privileges
begin;

revoke all on all tables in schema loyal from loyal_daemon, loyal_maintenance, loyal_reader, loyal_insight,
    loyal_auditor, loyal_eraser;
revoke all on all functions in schema loyal from loyal_daemon, loyal_maintenance, loyal_reader, loyal_insight,
    loyal_auditor, loyal_eraser;
revoke usage on schema loyal from loyal_daemon, loyal_maintenance, loyal_reader, loyal_insight,
    loyal_auditor, loyal_eraser;
alter default privileges grant execute on functions to public;
update loyal.schema_version set version = 'check';

commit;
