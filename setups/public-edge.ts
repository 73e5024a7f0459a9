import { revocable } from 'serval/edge'
import { compress } from 'serval/engines/http'
import { jwtAuthenticator } from 'serval/engines/jose'
import { docsPages } from 'serval/engines/swagger'
import type { EdgeSettings, Settings, Setup } from 'serval/host'
import { systemEnv } from 'serval'
import { accounts } from '../shop/accounts/contract.ts'

const originsOf = (text: string) => (text.trim() === '*' ? '*' : listOf(text))

const listOf = (text: string): string[] =>
  text.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]))

/** How every setup's public edge treats the world. */
export const publicEdge = (settings: Settings): EdgeSettings => ({
  cors: { origins: originsOf(settings.text('SERVAL_CORS_ORIGINS', '')) },
  trustedProxies: listOf(settings.text('SERVAL_TRUSTED_PROXIES', '')),
  behindTls: settings.flag('SERVAL_BEHIND_TLS', false),
  compress,
  pages: docsPages({ title: 'The shop' }),
})

const tokenLifeMs = 10 * 60_000 + 10_000

/** Access tokens by the published keys, refused as soon as their session has ended. */
export const shopTokens: Setup['authenticate'] = (connect, follow) => {
  const { keys, endedSessions } = connect(accounts)
  return revocable(
    jwtAuthenticator({ keys: () => keys({}), issuer: 'serval-shop', audience: 'serval-shop' }),
    {
      env: systemEnv(),
      tokenLifeMs,
      load: async () => (await endedSessions({})).sessionIds,
      follow: (ended, gap) =>
        follow(accounts.events.sessionEnded, ({ sessionId }) => ended(sessionId), gap),
    },
  )
}
