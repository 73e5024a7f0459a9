/** What a problem document (RFC 9457) says; of anything else, nothing. */
export interface ProblemDocument {
  readonly code: string | undefined
  readonly type: string | undefined
  readonly title: string | undefined
  readonly detail: string | undefined
  /** What it says beside the standard members. */
  readonly members: Readonly<Record<string, unknown>> | undefined
}

/** Members that a problem document has of its own: a problem's data has others. */
export const standardMembers: ReadonlySet<string> = new Set([
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'correlationId',
])

const objectOf = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : {}
  } catch {
    // A proxy in between may answer with something else; the status still says what happened.
    return {}
  }
}

const ifText = (value: unknown) => (typeof value === 'string' ? value : undefined)

export const problemDocument = (text: string): ProblemDocument => {
  const document = objectOf(text)
  const members = Object.entries(document).filter(([name]) => !standardMembers.has(name))
  return {
    code: ifText(document['code']),
    type: ifText(document['type']),
    title: ifText(document['title']),
    detail: ifText(document['detail']),
    members: members.length === 0 ? undefined : Object.fromEntries(members),
  }
}
