import type { Measured } from './latency.ts'

const width = 900
const height = 300
const margin = 60

/** A picture (SVG) of the p99 of each second, with what was done to the fleet, and the requests that failed. */
export const plot = (
  title: string,
  { before, seconds, deeds }: Measured,
  begun: number,
): string => {
  const last = seconds.at(-1)?.at ?? 1
  const most = Math.max(4 * before, ...seconds.map(({ p99 }) => p99))
  const x = (at: number) => margin + (at / Math.max(1, last)) * (width - 2 * margin)
  // Logarithmic: a second that is ten times slower must not hide the others.
  const y = (ms: number) =>
    height - margin - (Math.log(Math.max(1, ms)) / Math.log(most)) * (height - 2 * margin)
  const bands = deeds
    .map(({ deed }) => {
      const [from, to] = [x((deed.from - begun) / 1_000), x((deed.to - begun) / 1_000)]
      return `<rect x="${from.toFixed(1)}" y="${margin}" width="${Math.max(1, to - from).toFixed(1)}" height="${height - 2 * margin}" fill="#cde"><title>${deed.name}</title></rect>`
    })
    .join('')
  const line = seconds
    .map(({ at, p99 }, nth) => `${nth === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(p99).toFixed(1)}`)
    .join('')
  const failures = seconds
    .filter(({ failed }) => failed > 0)
    .map(
      ({ at, failed }) =>
        `<circle cx="${x(at).toFixed(1)}" cy="${height - margin + 8}" r="3" fill="#c33"><title>${failed} failed</title></circle>`,
    )
    .join('')
  const rules = [before, 2 * before]
    .map(
      (ms) =>
        `<path d="M${margin} ${y(ms).toFixed(1)}H${width - margin}" stroke="#c33" stroke-dasharray="3"/><text x="${width - margin + 4}" y="${y(ms).toFixed(1)}">${ms.toFixed(0)} ms</text>`,
    )
    .join('')
  const words = `<text x="${margin}" y="24" font-size="14">${title}</text><text x="${margin}" y="44">p99 of each second (logarithmic); bands: what is done; red points: seconds with failed requests</text><text x="${margin - 6}" y="${y(most).toFixed(1)}" text-anchor="end">${most.toFixed(0)} ms</text><text x="${margin - 6}" y="${y(1)}" text-anchor="end">1 ms</text><text x="${width - margin}" y="${height - 20}" text-anchor="end">${last} s</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>${bands}${rules}<path d="${line}" fill="none" stroke="#248"/>${failures}${words}</svg>\n`
}
