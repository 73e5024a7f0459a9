import { failure } from '../../base/failure.ts'
import { SqlError, type SqlDatabase } from './database.ts'
import type { Migration } from './schema.ts'

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`

/** A migration and a host of the release before may take the same locks in another order. */
const mostRuns = 5

const untilDone = async (run: () => Promise<void>, left = mostRuns): Promise<void> => {
  try {
    await run()
  } catch (error) {
    if (left <= 1 || !(error instanceof SqlError && error.again)) throw error
    await untilDone(run, left - 1)
  }
}

/**
 * Runs the migrations that this database has not seen, in order of their ids, each in a transaction with the note that it ran. Hosts
 * that start together wait for one another.
 */
export const migrate = async (
  database: SqlDatabase,
  service: string,
  migrations: readonly Migration[],
): Promise<void> => {
  // `if not exists` is no lock: two hosts that both find no table both make it, and one of them fails.
  await database.script(
    'select pg_advisory_xact_lock(7368647513); create table if not exists serval_migration (id text primary key, at timestamptz not null default now())',
  )
  const seen = new Set(
    await database.read(async (session) =>
      (await session.query<{ id: string }>('select id from serval_migration')).map((row) => row.id),
    ),
  )
  for (const migration of migrations) {
    if (seen.has(migration.id)) continue
    await untilDone(() =>
      database.script(
        `lock table serval_migration in exclusive mode;
do $migrate$ begin
if not exists (select 1 from serval_migration where id = ${quote(migration.id)}) then
${migration.sql
  .split(/;\s*\n/)
  .filter((statement) => statement.trim() !== '')
  .map((statement) => `execute $statement$${statement}$statement$;`)
  .join('\n')}
insert into serval_migration (id) values (${quote(migration.id)});
end if;
end $migrate$;`,
      ),
    ).catch((cause: unknown) => {
      throw failure(
        'cannot-start',
        `the migration ${migration.id} of the service ${service} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      )
    })
  }
}
