import { hmacSha256, sameBytes } from 'serval'
import type { AccountsContext } from '../parts.ts'
import type { MailRequest } from '../repository.ts'
import type { MailKind } from './contract.ts'

/** Where the shop's pages are. */
const base = 'https://shop.test'

/** The page that a mail's link opens; a mail without one only tells. */
const pages: Readonly<Record<MailKind, string | undefined>> = {
  'email-verification': 'verify',
  'password-reset': 'reset',
  'password-changed': undefined,
}

/*
 * A link's token is the id of the mail's request and its HMAC under a secret of the kind of mail. So it need not be stored,
 * a repeat of the mail holds the same one, and it is good for as long as the request's row is there.
 */
const form = /^([0-9a-f-]{36})\.([\w-]{43})$/

const macOf = async (ctx: AccountsContext, kind: MailKind, id: string) =>
  hmacSha256(await ctx.secret(`${kind}-links`), id)

/** Undefined for a mail without a link. The token is in the fragment, which no browser sends to a server. */
export const linkOf = async (
  ctx: AccountsContext,
  { id, kind }: Pick<MailRequest, 'id' | 'kind'>,
): Promise<string | undefined> => {
  const page = pages[kind]
  if (page === undefined) return undefined
  const mac = await macOf(ctx, kind, id)
  return `${base}/${page}#token=${id}.${Buffer.from(mac).toString('base64url')}`
}

/** The request that a token of this kind of mail stands for; undefined for one that we did not make. */
export const requestOf = async (
  ctx: AccountsContext,
  kind: MailKind,
  token: string,
): Promise<string | undefined> => {
  const [, id, mac] = form.exec(token) ?? []
  if (id === undefined || mac === undefined) return undefined
  const given = Buffer.from(mac, 'base64url')
  return sameBytes(given, await macOf(ctx, kind, id)) ? id : undefined
}
