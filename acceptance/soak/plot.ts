import { fit } from '../statistics.ts'

export interface Point {
  readonly requests: number
  readonly heapMib: number
  /** Of compiled code, where the runtime tells. */
  readonly codeMib: number
  readonly externalMib: number
  readonly rssMib: number
  /** Open ones, but those of tables. */
  readonly descriptors: number
  /** Files of tables that an embedded database keeps open. */
  readonly tables: number
}

const width = 640
const height = 130
const margin = 60

/** One measure over the requests, with the line through it. */
const chart = (
  title: string,
  top: number,
  points: readonly Point[],
  of: (point: Point) => number,
): string => {
  const most = Math.max(...points.map(of)) * 1.2 || 1
  const last = points.at(-1)?.requests ?? 1
  const x = (requests: number) => margin + (requests / Math.max(1, last)) * (width - 2 * margin)
  const y = (value: number) => top + height - 25 - (value / most) * (height - 50)
  const { slope, at0 } = fit(points.map((point) => [point.requests, of(point)] as const))
  const marks = points
    .map(
      (point) =>
        `<circle cx="${x(point.requests).toFixed(1)}" cy="${y(of(point)).toFixed(1)}" r="2.5"/>`,
    )
    .join('')
  const line = `<line x1="${x(0)}" y1="${y(at0).toFixed(1)}" x2="${x(last)}" y2="${y(at0 + slope * last).toFixed(1)}" stroke="#c33"/>`
  const axes = `<path d="M${margin} ${top + 20}V${top + height - 25}H${width - margin}" fill="none" stroke="#888"/>`
  const words = `<text x="${margin}" y="${top + 14}">${title}: ${(slope * 1_000_000).toFixed(2)} for each million requests</text><text x="${margin - 6}" y="${y(most / 1.2).toFixed(1)}" text-anchor="end">${(most / 1.2).toFixed(1)}</text><text x="${margin - 6}" y="${y(0)}" text-anchor="end">0</text><text x="${width - margin}" y="${top + height - 10}" text-anchor="end">${last}</text>`
  return `${axes}${marks}${line}${words}`
}

/** A picture (SVG) of a soak. */
export const plot = (title: string, points: readonly Point[]): string => {
  const charts = [
    chart('heap, MiB', 30, points, ({ heapMib }) => heapMib),
    chart('resident, MiB', 30 + height, points, ({ rssMib }) => rssMib),
    chart('open descriptors', 30 + 2 * height, points, ({ descriptors }) => descriptors),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${40 + 3 * height}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/><text x="${margin}" y="20" font-size="14">${title}</text>${charts.join('')}</svg>\n`
}
