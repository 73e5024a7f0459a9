import { systemEnv, type Logger } from 'serval'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { sqlStores } from 'serval/engines/sql'
import { secretText, settingsFrom, startHost } from 'serval/host'
import kitten from '../../setups/kitten.ts'

/** The whole shop in this process, for tests: the setup kitten on free ports, with everything in memory. */
export const startShopInMemory = async () => {
  const settings = settingsFrom({ SERVAL_PORT: '0', SERVAL_OPERATOR_PORT: '0' })
  const wired = kitten.wire(settings)
  const errors: string[] = []
  const ignore = () => undefined
  const log: Logger = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (message, _, error) => void errors.push(`${message}: ${String(error)}`),
    with: () => log,
  }
  const host = await startHost({
    setup: {
      ...wired,
      stores: sqlStores(pglite({})),
      ports: { ...wired.ports, mail: mailbox({}) },
      masterSecret: secretText('a secret that only this test knows', 'SECRET'),
    },
    env: systemEnv(),
    log,
  })
  const at = ({ host: name, port }: { host: string; port: number }) => `http://${name}:${port}`
  const { edge } = host
  if (edge === undefined) throw new Error('a host without a share has an edge')
  return {
    address: at(edge.public),
    operator: at(edge.operator),
    key: edge.operatorKey,
    /** What was logged as an error. */
    errors,
    end: () => host.drain(),
  }
}
