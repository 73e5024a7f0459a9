/** A failure that the client is told of. */
export class Problem extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}

export const problemBody = ({ status, code }: Problem) => ({ type: 'about:blank', status, code })
