import { entityTag, fillPath, namesTag } from '../contract/index.ts'
import type { Reply } from '../link/call.ts'
import { HttpRefusal, type HttpReply, type HttpRequest } from '../link/http.ts'
import { eventStream, type EventStreamOptions } from './feed.ts'
import { splitTarget, type Route } from './router.ts'

/** Whether a client that sent this Accept header takes the type (RFC 9110, 12.5.1). */
export const accepts = (accept: string | undefined, type: string): boolean => {
  if (accept === undefined || accept === type || accept === '*/*' || accept.trim() === '')
    return true
  const family = `${type.split('/')[0]}/*`
  const ranges = accept
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim().toLowerCase()))
  // The most specific range that names the type decides.
  const said = [type, family, '*/*']
    .map((name) => ranges.filter(([first]) => first === name))
    .find((found) => found.length > 0)
  return said?.some((parts) => !parts.some((part) => /^q=0(\.0*)?$/.test(part))) ?? false
}

/** The next page's link (RFC 8288), for a reply that has a `next` cursor. */
const linkTo = (request: HttpRequest, next: string): string => {
  const [path, query] = splitTarget(request.target)
  const parameters = new URLSearchParams(query)
  parameters.set('cursor', next)
  // What a client sent raw, and a link may not hold, goes back encoded.
  const safe = path.replaceAll(
    /[^\x21-\x7e]|[<>"]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `<${safe}?${parameters.toString()}>; rel="next"`
}

/** An operation's reply in HTTP. */
export const encodeReply = async (
  route: Route,
  request: HttpRequest,
  reply: Reply,
  stream: EventStreamOptions,
): Promise<HttpReply> => {
  const { http, operation } = route
  if (reply.remembered !== undefined) {
    const { status, contentType, location, body } = reply.remembered
    const headers = { 'cache-control': 'no-store', ...(location === undefined ? {} : { location }) }
    return body.length === 0
      ? { status, headers }
      : { status, headers: { ...headers, 'content-type': contentType }, body }
  }
  if (operation.kind === 'feed') {
    const headers = {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // nginx passes each event on as it comes.
      'x-accel-buffering': 'no',
    }
    return {
      status: http.status,
      headers,
      body: stream.counted(eventStream(reply.value as AsyncIterable<unknown>, stream)),
    }
  }
  const value = reply.value as Readonly<Record<string, unknown>> | undefined
  const shared = operation.access === 'public' && http.method === 'GET'
  const headers: Record<string, string> = {
    'cache-control': shared ? 'max-age=0, must-revalidate' : 'no-store',
  }
  if (http.location !== undefined) headers['location'] = fillPath(http.location, value ?? {})
  if (value === undefined || http.status === 204) return { status: http.status, headers }
  headers['content-type'] = 'application/json'
  const next = value['next']
  if (typeof next === 'string' && http.method === 'GET') headers['link'] = linkTo(request, next)
  const body = JSON.stringify(value)
  if (http.etag) {
    const etag = entityTag(body)
    headers['etag'] = etag
    const known = request.header('if-none-match')
    if (http.method === 'GET' && known !== undefined && namesTag(known, etag, 'weak')) {
      const { 'content-type': _, ...kept } = headers
      return { status: 304, headers: kept }
    }
  }
  return { status: http.status, headers, body }
}

/** Refuses a client that does not take what the operation answers. */
export const checkAccept = ({ answers }: Route, request: HttpRequest): void => {
  if (answers !== undefined && !accepts(request.header('accept'), answers))
    throw new HttpRefusal(406, `This operation answers ${answers}`)
}
