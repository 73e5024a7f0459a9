import { listenHttp } from 'serval/engines/http'
import { memoryCache } from 'serval/engines/memory-cache'
import { pglite } from 'serval/engines/pglite'
import { sqlStores } from 'serval/engines/sql'
import { secretFile, setup } from 'serval/host'
import { system } from '../system.ts'

/** One process, an embedded PostgreSQL in a folder, nothing else installed. */
export default setup('kitten', (settings) => {
  const data = settings.text('SERVAL_DATA', 'data')
  return {
    system,
    development: true,
    stores: sqlStores(pglite({ folder: `${data}/database` })),
    cache: memoryCache({}),
    // What the services need from outside, such as a mail server, by the name of their port.
    ports: {},
    listen: listenHttp,
    // How the public edge treats the world: limits, CORS and the like; the defaults are safe.
    edge: {},
    // Nobody can sign in yet, so no access token is valid: see jwtAuthenticator in serval/engines/jose.
    authenticate: () => () => Promise.resolve(undefined),
    public: {
      host: settings.text('SERVAL_HOST', '127.0.0.1'),
      port: settings.port('SERVAL_PORT', 8080),
      setting: '--port, or SERVAL_PORT',
    },
    operator: {
      host: '127.0.0.1',
      port: settings.port('SERVAL_OPERATOR_PORT', 8081),
      setting: '--operator-port, or SERVAL_OPERATOR_PORT',
    },
    masterSecret: secretFile(`${data}/secret`),
  }
})
