import type { Reply } from './raw-http.ts'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly instance?: string
  readonly code: string
  readonly correlationId: string
  readonly errors?: readonly { readonly pointer: string; readonly message: string }[]
}

const isText = (value: unknown) => typeof value === 'string' && value !== ''

/** What is wrong with a failure as a client sees it: empty for a problem document as the API promises it. */
export const faultsOf = (reply: Reply, path?: string): readonly string[] => {
  const faults: string[] = []
  const must = (ok: boolean, what: string) => void (ok || faults.push(what))
  const { headers, status } = reply
  must(
    headers['content-type'] === 'application/problem+json',
    `content-type is ${headers['content-type']}`,
  )
  must(
    /^[\w.-]{1,64}$/.test(headers['x-request-id'] ?? ''),
    `x-request-id is ${headers['x-request-id']}`,
  )
  must(status !== 401 || headers['www-authenticate'] !== undefined, '401 without www-authenticate')
  must(status !== 405 || headers['allow'] !== undefined, '405 without allow')
  must(status !== 429 || headers['retry-after'] !== undefined, '429 without retry-after')
  let problem: Partial<Problem>
  try {
    problem = reply.json<Partial<Problem>>()
  } catch {
    return [...faults, `the body is ${JSON.stringify(reply.text.slice(0, 200))}`]
  }
  must(
    isText(problem.type) && isText(problem.title) && isText(problem.code),
    'type, title and code must be texts',
  )
  must(problem.status === status, `status is ${problem.status}`)
  must(
    problem.correlationId === headers['x-request-id'],
    `correlationId is ${problem.correlationId}`,
  )
  must(
    problem.detail === undefined || isText(problem.detail),
    `detail is ${JSON.stringify(problem.detail)}`,
  )
  must(path === undefined || problem.instance === path, `instance is ${problem.instance}`)
  for (const error of problem.errors ?? [])
    must(
      /^(\/.*)?$/s.test(error.pointer) && isText(error.message),
      `an error is ${JSON.stringify(error)}`,
    )
  return faults
}
