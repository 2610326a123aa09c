-- Who may take part: every change stays, the last one counts.
begin;
select plan(13);

insert into loyal.operator values (1, 'olga', sha256('olga'), true);
select is_empty('select * from loyal.standing', 'who never changed is not in the view: he is active');
insert into loyal.standing_change values
    (1, 1, 7, 2, '2014-01-03 00:00+00', 1, 'late'), (2, 3, 7, 3, '2014-01-02 00:00+00', 1, 'stolen'),
    (3, 1, 7, 1, '2014-01-01 00:00+00', 1, 'paid'), (4, 1, 8, 1, '2014-01-01 00:00+00', 1, ''),
    (5, 1, 8, 2, '2014-01-01 00:00+00', 1, ''), (6, 4, 1, 2, '2014-01-01 00:00+00', 1, '');
select results_eq('select subject::int, subject_id, standing::int from loyal.standing order by 1, 2',
    'values (1, 7, 1), (1, 8, 2), (3, 7, 3), (4, 1, 2)',
    'the change with the highest number counts, whatever its time; of each kind and number of its own');
insert into loyal.standing_change values (9, 1, 8, 3, '2013-01-01 00:00+00', 1, '');
select results_eq('select standing::int from loyal.standing where subject = 1 and subject_id = 8', 'values (3)',
    'and the next one after it');
select is((select count(*) from loyal.standing_change), 7::bigint, 'all changes stay on record');
prepare change_of (int, int, int, int) as
    insert into loyal.standing_change values ($1, $2, 1, $3, '2014-01-01 00:00+00', $4, '');
select throws_ok('execute change_of (9, 1, 1, 1)', '23505', null, 'a number only once');
select throws_ok('execute change_of (10, 5, 1, 1)', '23514', null, 'there are four kinds of subjects');
select throws_ok('execute change_of (10, 1, 4, 1)', '23514', null, 'and three standings');
select throws_ok('execute change_of (10, 1, 1, 2)', '23503', null, 'by an operator who exists');
prepare member_change_of (int, int) as
    insert into loyal.member_standing_change values (1, 1, $1, $2, '2014-01-01 00:00+00', 1, '');
select lives_ok('execute member_change_of (1, 4)', 'R29: a member can be erased, too');
select throws_ok('execute member_change_of (1, 1)', '23505', null, 'each change of a member has its number');

-- A terminal's certificates.
insert into loyal.merchant values (1, 'acme', 'Acme', 'EUR');
insert into loyal.terminal values (1, 1, 'one', null, 1, sha256('a')), (2, 1, 'two', null, 1, sha256('b'));
insert into loyal.certificate_change values
    (1, 1, sha256('c'), 1, '2014-01-03 00:00+00', 1, ''), (2, 1, sha256('a'), 3, '2014-01-02 00:00+00', 1, ''),
    (3, 2, sha256('d'), 1, '2014-01-01 00:00+00', 1, ''), (4, 2, sha256('d'), 2, '2014-01-01 00:00+00', 1, '');
select results_eq('select terminal_id, certificate_sha256, number from loyal.terminal_certificate order by 1, 3',
    $$values (1, sha256('c'), 1), (2, sha256('b'), 0)$$, 'the last change of each counts; the first one is good without any');
select throws_ok($$insert into loyal.certificate_change values (5, 3, sha256('e'), 1, '2014-01-01 00:00+00', 1, '')$$, '23503',
    null, 'of a terminal that exists');
select throws_ok($$insert into loyal.certificate_change values (5, 1, 'e', 1, '2014-01-01 00:00+00', 1, '')$$, '23514',
    null, 'by its SHA-256');

select * from finish();
rollback;
