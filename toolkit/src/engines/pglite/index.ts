import { failure } from '../../base/failure.ts'
import { systemEnv, type Env } from '../../base/env.ts'
import type { SqlDatabase, SqlServer } from '../sql/database.ts'
import { embeddedDatabase } from './database.ts'
import { place, Session } from './session.ts'
import { startDatabase, type Started } from './start.ts'
import { turns } from './turn.ts'
import { keepUp, type Upkeep } from './upkeep.ts'

export interface PgliteOptions {
  /** Where the data is kept; in memory, for as long as this process lives, when it is left out. */
  readonly folder?: string | undefined
  readonly env?: Env
}

interface Running extends Started {
  readonly session: Session
  readonly upkeep: Upkeep
}

const refusedNames = ['public', 'information_schema']

/** PostgreSQL in this process: a schema and a role for each service, all on one session. */
export const pglite = ({ folder, env = systemEnv() }: PgliteOptions = {}): SqlServer => {
  const name = folder === undefined ? 'pglite in memory' : `pglite ${folder}`
  const turn = turns(env)
  const admin = place(undefined, 'pg_catalog')
  const opened = new Map<string, Promise<SqlDatabase>>()
  let started: Promise<Running> | undefined

  const start = async () => {
    const database = await startDatabase(folder)
    const session = new Session(database.pg)
    return { ...database, session, upkeep: keepUp(session, turn, admin, env) }
  }

  const open = async (service: string): Promise<SqlDatabase> => {
    if (!/^(?!pg_)[a-z][a-z0-9_-]{0,30}$/.test(service) || refusedNames.includes(service))
      throw failure(
        'misconfigured',
        `a service's name must match [a-z][a-z0-9_-]{0,30}, not '${service}'`,
      )
    started ??= start()
    started.catch(() => (started = undefined))
    const { session, upkeep } = await started
    const own = place(`service_${service}`, service)
    await embeddedDatabase(session, turn, admin, upkeep).script(`do $$ begin
      if not exists (select from pg_roles where rolname = '${own.role}') then
        create role "${own.role}" nologin;
      end if;
      create schema if not exists "${own.schema}" authorization "${own.role}";
    end $$`)
    return embeddedDatabase(session, turn, own, upkeep)
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
      const { pg, lock, upkeep } = (await started?.catch(() => undefined)) ?? {}
      if (!pg || pg.closed) return
      upkeep?.stop()
      await turn.end()
      await pg.close()
      lock?.release()
    },
  }
}
