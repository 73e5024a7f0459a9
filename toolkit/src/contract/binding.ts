/**
 * How an operation looks in public HTTP. Path parameters (`:name`) are fields of the input; of GET and DELETE the
 * other fields are query parameters, of the rest they are the JSON body.
 */
export interface HttpBinding {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Segments are literal or `:field`. */
  readonly path: string
  /** Of success. */
  readonly status: number
  /** The Location header of success; `:field` is taken from the output. */
  readonly location: string | undefined
  /** Answers carry a strong ETag of their bytes, and If-None-Match is honoured. */
  readonly etag: boolean
  /** The If-Match header is the input's field `ifMatch` (see `requireMatch`). */
  readonly ifMatch: boolean
}

interface BindingOptions {
  readonly status?: number
  readonly location?: string
  readonly etag?: boolean
  readonly ifMatch?: boolean
}

const binding =
  (method: HttpBinding['method'], usual: number) =>
  (path: string, options: BindingOptions = {}): HttpBinding =>
    Object.freeze({
      method,
      path,
      status: options.status ?? usual,
      location: options.location,
      etag: options.etag ?? false,
      ifMatch: options.ifMatch ?? false,
    })

export const get = binding('GET', 200)
export const post = binding('POST', 200)
export const put = binding('PUT', 200)
export const patch = binding('PATCH', 200)
export const del = binding('DELETE', 204)

/** The names of a path's parameters, in order. */
export const pathParameters = (path: string): string[] =>
  path.split('/').flatMap((segment) => (segment.startsWith(':') ? [segment.slice(1)] : []))

/** The input's fields that come as headers. */
export const headerFields = (http: HttpBinding): readonly string[] =>
  http.ifMatch ? ['ifMatch'] : []

/** Puts a value's fields into the `:field` segments of a path, percent-encoded. */
export const fillPath = (path: string, value: Readonly<Record<string, unknown>>): string =>
  path
    .split('/')
    .map((segment) =>
      segment.startsWith(':') ? encodeURIComponent(String(value[segment.slice(1)])) : segment,
    )
    .join('/')
