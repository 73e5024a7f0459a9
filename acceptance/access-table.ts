/*
 * Who may call what: the rows of API.md and of the operator's address, written by hand. It is compared with what the shop
 * serves, and with what its documents say.
 */

export type Access = 'public' | 'user' | 'merchant' | 'admin' | 'operator'

const table = `
  public    POST   /api/v1/auth/register
  public    POST   /api/v1/auth/login
  public    POST   /api/v1/auth/refresh
  user      POST   /api/v1/auth/logout
  user      POST   /api/v1/auth/password
  public    POST   /api/v1/auth/password/forgot
  public    POST   /api/v1/auth/password/reset
  public    POST   /api/v1/auth/verify
  user      GET    /api/v1/auth/sessions
  user      DELETE /api/v1/auth/sessions/{id}
  public    GET    /.well-known/jwks.json
  user      GET    /api/v1/users/me
  user      PATCH  /api/v1/users/me
  user      DELETE /api/v1/users/me
  admin     PUT    /api/v1/users/{id}/roles
  public    GET    /api/v1/products
  public    GET    /api/v1/products/{sku}
  public    GET    /api/v1/categories
  merchant  POST   /api/v1/products
  merchant  PATCH  /api/v1/products/{sku}
  merchant  DELETE /api/v1/products/{sku}
  public    GET    /api/v1/stock/{sku}
  merchant  PUT    /api/v1/stock/{sku}
  merchant  POST   /api/v1/stock/{sku}/adjustments
  merchant  GET    /api/v1/stock/{sku}/adjustments
  public    POST   /api/v1/quotes
  user      POST   /api/v1/orders
  user      GET    /api/v1/orders
  user      GET    /api/v1/orders/{id}
  user      POST   /api/v1/orders/{id}/cancel
  user      GET    /api/v1/orders/{id}/events
  merchant  GET    /api/v1/admin/orders
  user      GET    /api/v1/notifications
  merchant  GET    /api/v1/analytics/sales
  merchant  GET    /api/v1/analytics/top-products

  operator  PUT    /operator/v1/users/roles
  operator  POST   /operator/v1/signing-keys/rotate
  operator  GET    /operator/v1/inventory
  operator  GET    /operator/v1/orders
  operator  GET    /operator/v1/payments
  operator  GET    /operator/v1/acquirer
  operator  GET    /operator/v1/notifications
  operator  GET    /operator/v1/mails
  operator  GET    /operator/v1/analytics
  operator  GET    /operator/v1/parked
  operator  POST   /operator/v1/parked/replay
  operator  POST   /operator/v1/parked/discard
  operator  GET    /operator/v1/readers
  operator  POST   /operator/v1/readers/forget
`

/** Who may call each operation, by `METHOD /path`. */
export const accessTable: ReadonlyMap<string, Access> = new Map(
  table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length === 3)
    .map(([access, method, path]) => [`${method} ${path}`, access as Access]),
)
