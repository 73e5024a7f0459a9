/** Raised by the guard function: two letters of ours, so that no PostgreSQL error is mistaken for it. */
export const guardState = 'SV001'

/**
 * The function that makes a guard an error, for engines where the rows would be counted a round trip away.
 * Called only when a guard fails.
 */
export const guardFunction = `
create or replace function serval_guard_failed(expected bigint, changed bigint) returns integer
language plpgsql volatile as $$
begin
  raise exception 'a guarded write changed % rows and must change %', changed, expected
    using errcode = '${guardState}';
end $$`

/**
 * The statement, raising when it changes another number of rows than its last parameter says, so that its text is the same for any
 * number. It must not have RETURNING itself.
 */
export const guarded = (text: string, parameters: number): string =>
  `with changed as (${text.trim().replace(/;$/, '')} returning 1) ` +
  `select case when count(*) <> $${parameters + 1}::bigint then serval_guard_failed($${parameters + 1}::bigint, count(*)) end from changed`
