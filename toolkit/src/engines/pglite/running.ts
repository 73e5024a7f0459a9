import type { Env } from '../../base/env.ts'
import { embedded } from './database.ts'
import { checkName, perService, type Reach } from './reached.ts'
import { place, Session } from './session.ts'
import type { Started } from './start.ts'
import { turns } from './turn.ts'
import { keepUp } from './upkeep.ts'

/** The database that runs in this process. */
export const running = ({ pg, lock }: Started, env: Env): Reach => {
  const turn = turns(env)
  const admin = place(undefined, 'pg_catalog')
  const session = new Session(pg)
  const upkeep = keepUp(session, turn, admin, env)
  const open = async (service: string) => {
    checkName(service)
    const own = place(`service_${service}`, service)
    await embedded(session, turn, admin, upkeep).script(`do $$ begin
      if not exists (select from pg_roles where rolname = '${own.role}') then
        create role "${own.role}" nologin;
      end if;
      create schema if not exists "${own.schema}" authorization "${own.role}";
    end $$`)
    return embedded(session, turn, own, upkeep)
  }
  return {
    of: perService(open),
    close: async () => {
      if (pg.closed) return
      upkeep.stop()
      await turn.end()
      await pg.close()
      lock?.release()
    },
  }
}
