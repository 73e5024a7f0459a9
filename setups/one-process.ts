import { argon2Passwords } from 'serval/engines/argon2'
import { listenHttp } from 'serval/engines/http'
import { joseSigner } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import { smtp } from 'serval/engines/smtp'
import { memoryCache } from 'serval/engines/memory-cache'
import { secretFile, type Settings, type Setup } from 'serval/host'
import { shop } from '../shop/shop.ts'
import { foreignOf } from './foreign.ts'
import { publicEdge, shopTokens } from './public-edge.ts'

/** The folder of what a setup of one process keeps beside its stores. */
export const dataFolder = (settings: Settings): string => settings.text('SERVAL_DATA', 'data')

/** Mail leaves through a real server when one is named; otherwise it stays in a mailbox that the operator can read. */
const mailer = (settings: Settings) => {
  const url = settings.text('SERVAL_SMTP_URL', '')
  const from = settings.text('SERVAL_MAIL_FROM', 'The shop <orders@shop.test>')
  return url === ''
    ? mailbox({ file: `${dataFolder(settings)}/mailbox.jsonl` })
    : smtp({ url, from })
}

/** What the setups of one process share: everything but where the state lives. */
export const oneProcess = (settings: Settings): Omit<Setup, 'stores'> => ({
  system: shop,
  foreign: foreignOf(settings),
  development: settings.flag('SERVAL_DEVELOPMENT', true),
  ports: {
    mail: mailer(settings),
    passwords: argon2Passwords(),
    tokens: joseSigner(),
  },
  cache: memoryCache({}),
  listen: listenHttp,
  edge: publicEdge(settings),
  authenticate: shopTokens,
  public: {
    host: settings.text('SERVAL_HOST', '127.0.0.1'),
    port: settings.port('SERVAL_PORT', 8080),
    shared: settings.flag('SERVAL_SHARED_PORTS', false),
    setting: '--port, or SERVAL_PORT',
  },
  operator: {
    host: '127.0.0.1',
    port: settings.port('SERVAL_OPERATOR_PORT', 8081),
    shared: settings.flag('SERVAL_SHARED_PORTS', false),
    setting: '--operator-port, or SERVAL_OPERATOR_PORT',
  },
  masterSecret: secretFile(`${dataFolder(settings)}/secret`),
})
