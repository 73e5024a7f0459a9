import { argon2Passwords } from 'serval/engines/argon2'
import { listenHttp } from 'serval/engines/http'
import { joseSigner, jwtAuthenticator } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { sqlStores } from 'serval/engines/sql'
import { secretFile, setup } from 'serval/host'
import { accounts } from '../shop/accounts/contract.ts'
import { shop } from '../shop/shop.ts'

/** One process, embedded stores, nothing else installed. */
export default setup('kitten', (settings) => {
  const data = settings.text('SERVAL_DATA', 'data')
  return {
    system: shop,
    development: true,
    stores: sqlStores(pglite({ folder: `${data}/database` })),
    ports: {
      mail: mailbox({ file: `${data}/mailbox.jsonl` }),
      passwords: argon2Passwords(),
      tokens: joseSigner(),
    },
    listen: listenHttp,
    authenticate: (connect) =>
      jwtAuthenticator({
        keys: () => connect(accounts).keys({}),
        issuer: 'serval-shop',
        audience: 'serval-shop',
      }),
    public: {
      host: settings.text('SERVAL_HOST', '127.0.0.1'),
      port: settings.port('SERVAL_PORT', 8080),
    },
    operator: { host: '127.0.0.1', port: settings.port('SERVAL_OPERATOR_PORT', 8081) },
    masterSecret: secretFile(`${data}/secret`),
  }
})
