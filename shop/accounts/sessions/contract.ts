import { command, del, event, get, post, problem, query } from 'serval'
import { z } from 'zod'
import { SignedIn } from '../sign-in/contract.ts'

export const RefreshRefused = problem('refresh-refused', {
  kind: 'unauthenticated',
  title: 'The refresh token is not valid; sign in again',
})
export const NoSuchSession = problem('no-such-session', {
  kind: 'not-found',
  title: 'You have no such session',
})

const Session = z.object({
  id: z.string(),
  startedAt: z.string(),
  /** When it last had an access token made. */
  lastUsedAt: z.string(),
  /** The one that asks. */
  current: z.boolean(),
})

export const sessionOperations = {
  refresh: command({
    summary: 'Trades a refresh token for a new pair',
    access: 'public',
    repeat: 'never',
    http: post('/api/v1/auth/refresh'),
    limit: { requests: 240, per: '1m', by: 'address' },
    input: z.object({ refreshToken: z.string().min(1).max(500) }),
    output: SignedIn,
    problems: [RefreshRefused],
  }),
  logout: command({
    summary: 'Ends the session that asks',
    access: 'user',
    repeat: 'natural',
    http: post('/api/v1/auth/logout', { status: 204 }),
    input: z.object({}),
    output: z.undefined(),
  }),
  sessions: query({
    summary: 'My sessions, the latest first',
    access: 'user',
    http: get('/api/v1/auth/sessions'),
    input: z.object({
      limit: z.int().min(1).max(100).default(20),
      cursor: z.string().max(200).optional(),
    }),
    output: z.object({ items: z.array(Session), next: z.string().optional() }),
  }),
  endSession: command({
    summary: 'Ends one of my sessions',
    access: 'user',
    repeat: 'never',
    http: del('/api/v1/auth/sessions/:id'),
    input: z.object({ id: z.string().min(1).max(64) }),
    output: z.undefined(),
    problems: [NoSuchSession],
  }),
  /** For an edge at its start, which then follows `sessionEnded`. */
  endedSessions: query({
    summary: 'Sessions that ended so lately that an access token of theirs may live',
    access: 'internal',
    input: z.object({}),
    output: z.object({ sessionIds: z.array(z.string()) }),
  }),
}

export const sessionEvents = {
  /** No access token that names this session (`sid`) is good any more. */
  sessionEnded: event('session.ended', {
    version: 1,
    key: 'sessionId',
    data: z.object({ sessionId: z.string(), userId: z.string() }),
  }),
}
