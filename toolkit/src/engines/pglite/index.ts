import { PGlite } from '@electric-sql/pglite'
import { failure } from '../../base/failure.ts'
import type { Env } from '../../base/env.ts'
import type { SqlDatabase, SqlServer } from '../sql/database.ts'
import { embeddedDatabase } from './database.ts'
import { place, Session } from './session.ts'
import { turn as makeTurn } from './turn.ts'

export interface PgliteOptions {
  /** Where the data is kept; in memory, for as long as this process lives, when it is left out. */
  readonly folder?: string | undefined
  readonly env?: Env
}

/** PostgreSQL in this process: a schema and a role for each service, all on one session. */
export const pglite = ({ folder }: PgliteOptions = {}): SqlServer => {
  const name = folder === undefined ? 'pglite in memory' : `pglite ${folder}`
  const turn = makeTurn()
  const admin = place(undefined, 'pg_catalog')
  const opened = new Map<string, Promise<SqlDatabase>>()
  let started: Promise<{ pg: PGlite; session: Session }> | undefined

  const start = async () => {
    const pg = await PGlite.create(folder ?? 'memory://')
    const session = new Session(pg)
    session.simple('set default_transaction_read_only = on')
    return { pg, session }
  }

  const open = async (service: string): Promise<SqlDatabase> => {
    if (!/^[a-z][a-z0-9_-]{0,30}$/.test(service))
      throw failure('misconfigured', `a service's name must match [a-z][a-z0-9_-]{0,30}, not '${service}'`)
    const { session } = await (started ??= start())
    const own = place(`service_${service}`, service)
    await turn.take()
    try {
      session.enter(admin)
      session.simple(`begin read write; do $$ begin
        if not exists (select from pg_roles where rolname = '${own.role}') then
          create role "${own.role}" nologin;
        end if;
        create schema if not exists "${own.schema}" authorization "${own.role}";
      end $$; commit`)
    } finally {
      turn.give()
    }
    return embeddedDatabase(session, turn, own)
  }

  return {
    exclusive: true,
    name,
    open: (service) => {
      const known = opened.get(service) ?? open(service)
      opened.set(service, known)
      known.catch(() => opened.delete(service))
      return known
    },
    close: async () => {
      if (!started) return
      const { pg } = await started
      await turn.take()
      await pg.close()
    },
  }
}
